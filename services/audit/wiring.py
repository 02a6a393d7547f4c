"""What the audit service is made of."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, FastAPI
from sqlalchemy import text

from services.audit import cosignature_store, store
from services.audit.accounting import store as accounting_store
from services.audit.accounting.api import AccountingDesk, accounting_routes, withholding_routes
from services.audit.accounting.asking import Accountant
from services.audit.accounting.neighbours import (
    INTAKE_SCOPES,
    NOTIFY_SCOPES,
    HttpNames,
    HttpPeople,
    Names,
    People,
)
from services.audit.api import routes
from services.audit.check import watch_routes
from services.audit.consumer import HANDLERS
from services.audit.models import INBOX
from services.audit.printing import Printing
from services.audit.reconciling import Reconciler
from services.audit.retention import store as retention_store
from services.audit.retention.api import hold_routes, shredding_routes
from services.audit.retention.desk import SHRED_WAKE, RetentionDesk
from services.audit.retention.ordering import ordering
from services.audit.sealer import Sealer, Sealing
from services.audit.settings import (
    AuditSettings,
    load_letterbox,
    load_signers,
    load_witnessed,
    load_witnesses,
)
from services.audit.sides import pairs
from services.audit.witnessing import Witnesses
from shared.contracts.base import Topic
from shared.messaging.bus import Bus
from shared.messaging.buses import open_bus
from shared.messaging.service import Consuming
from shared.messaging.worker import WORK_WAKE
from shared.runtime.auth import TokenVerifier
from shared.runtime.closed_windows import SCOPE
from shared.runtime.db import Database, check_server
from shared.runtime.http import create_app, serve
from shared.runtime.ids import utc_now
from shared.runtime.internal_http import InternalClient, tokens
from shared.runtime.lifecycle import Role
from shared.runtime.migrate import check_head
from shared.runtime.ops import Ages, Readiness, operations
from shared.runtime.pgnotify import Signals, share_wakes
from shared.runtime.settings import Profile
from shared.runtime.wakes import Wakes

NAME = "audit"
PACE_SECONDS = 0.2
"""Between two batches of disclosures. Nobody waits for an entry, and lag pages at a minute."""
LONGEST_PACE_SECONDS = 1.0
"""While a backlog comes: what was disclosed of a referral within it is taken up once."""


@dataclass(frozen=True)
class _Neighbours:
    """The services that audit asks."""

    intake: InternalClient
    notify: InternalClient
    compared: tuple[InternalClient, InternalClient]
    """The same two, for reconciliation alone."""

    @classmethod
    def of(cls, settings: AuditSettings) -> "_Neighbours":
        comparing = tokens(settings, f"service:{NAME}", (SCOPE,))
        return cls(
            InternalClient("intake", settings.intake_url, tokens(settings, NAME, INTAKE_SCOPES)),
            InternalClient("notify", settings.notify_url, tokens(settings, NAME, NOTIFY_SCOPES)),
            (
                InternalClient("intake", settings.intake_url, comparing),
                InternalClient("notify", settings.notify_url, comparing),
            ),
        )

    async def close(self) -> None:
        for client in (self.intake, self.notify, *self.compared):
            await client.close()


@dataclass(frozen=True)
class _Parts:
    """What the roles and routes stand on."""

    sealer: Sealer
    witnesses: Witnesses
    reconciler: Reconciler
    neighbours: _Neighbours


@dataclass(frozen=True)
class App:
    """The service, put together and not yet running."""

    db: Database
    messaging: Consuming
    api: FastAPI
    readiness: Readiness
    ages: Ages
    sealer: Sealer
    roles: Mapping[str, Role]
    operations: Role


def open_database(settings: AuditSettings, wakes: Wakes) -> Database:
    return Database.open(settings.dsn.get_secret_value(), wakes, name=f"hartline {NAME}")


@asynccontextmanager
async def open_app(settings: AuditSettings, *, alone: bool = True) -> AsyncIterator[App]:
    """Everything of the service. `alone` unless its roles run in several processes.

    Raises Misconfigured or UnsafeServer before anything runs.
    """
    sealing = _sealing(settings)
    sites = load_witnesses(settings)
    verifier = TokenVerifier(settings.jwks, settings.issuer)
    dsn = settings.dsn.get_secret_value()
    neighbours = _Neighbours.of(settings)
    wakes = Wakes()
    signals = Signals(dsn, f"hartline {NAME} signals")
    db = open_database(settings, wakes)
    bus = open_bus(settings, f"hartline {NAME}")
    witnesses = Witnesses(db, settings.origin, sealing.signers, sites)
    try:
        await check_server(db)
        await check_head(db, NAME)
        if not alone:
            share_wakes(wakes, signals, NAME, (store.SEAL_WAKE, SHRED_WAKE, WORK_WAKE))
            signals.start()
        printing = Printing(db, settings.print_to, load_letterbox(settings))
        sealer = Sealer(db, dsn, sealing, witnesses=witnesses, printing=printing)
        reconciler = Reconciler(db, dsn, pairs(db, *neighbours.compared))
        parts = _Parts(sealer, witnesses, reconciler, neighbours)
        yield _put_together(settings, db, bus, verifier, parts)
    finally:
        await witnesses.close()
        await neighbours.close()
        await signals.close()
        await bus.close()
        await db.close()


def _sealing(settings: AuditSettings) -> Sealing:
    signers = load_signers(settings)
    trusted = tuple(signer.public for signer in signers)
    return Sealing(settings.origin, signers, load_witnessed(settings, trusted))


def _put_together(
    settings: AuditSettings,
    db: Database,
    bus: Bus,
    verifier: TokenVerifier,
    parts: _Parts,
) -> App:
    dsn = settings.dsn.get_secret_value()
    topics = (Topic.DISCLOSURES,)
    messaging = Consuming(
        NAME,
        db,
        dsn,
        bus,
        INBOX,
        topics,
        HANDLERS,
        pace=PACE_SECONDS,
        longest=LONGEST_PACE_SECONDS,
    )
    readiness = Readiness(database=lambda: _answers(db), log=lambda: _sound(parts.sealer))
    ages = _ages(db, messaging, parts)
    development = settings.profile is Profile.DEVELOPMENT
    api = create_app("Hartline audit", verifier, readiness=readiness, development=development)
    people, names = HttpPeople(parts.neighbours.intake), HttpNames(parts.neighbours.notify)
    for router in area_routes(db, people, names, settings.retention_years):
        api.include_router(router)
    api.include_router(routes(db))
    roles: dict[str, Role] = {
        "api": serve(api, settings.host, settings.port),
        "consume": messaging.consume,
        "work": ordering(db, people, messaging.work),
        "seal": parts.sealer.run,
        "reconcile": parts.reconciler.run,
    }
    inner = operations(NAME, readiness, ages, run=settings.run)
    inner.router.routes.extend(watch_routes(settings, db))
    ops = serve(inner, settings.host, settings.ops_port)
    return App(db, messaging, api, readiness, ages, parts.sealer, roles, ops)


def area_routes(
    db: Database, people: People, names: Names, years: int, clock: Callable[[], datetime] = utc_now
) -> tuple[APIRouter, ...]:
    """The routes of accounting and retention."""
    accounting = AccountingDesk(db, Accountant(db, people, names, clock), clock)
    retention = RetentionDesk(db, people, years, clock)
    return (
        accounting_routes(accounting),
        withholding_routes(accounting),
        shredding_routes(retention),
        hold_routes(retention),
    )


def _ages(db: Database, messaging: Consuming, parts: _Parts) -> Ages:
    async def read() -> dict[str, float]:
        async with db.transaction() as session:
            silence = await cosignature_store.silence(session, parts.witnesses.vkeys)
            ages = await messaging.ages(session) | await store.ages(session)
            ages |= await accounting_store.ages(session)
            ages |= await retention_store.ages(session)
        age = await parts.reconciler.age()
        return ages | {"audit_uncosigned": silence, "audit_unreconciled": age}

    ages = Ages(NAME)
    ages.add(read)
    return ages


async def _answers(db: Database) -> None:
    async with db.transaction() as session:
        await session.execute(text("SELECT 1"))


async def _sound(sealer: Sealer) -> str | None:
    return sealer.forked
