"""What the audit service is made of."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, FastAPI
from sqlalchemy import text

from services.audit import store
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
from services.audit.consumer import HANDLERS
from services.audit.models import INBOX
from services.audit.retention import store as retention_store
from services.audit.retention.api import hold_routes, shredding_routes
from services.audit.retention.desk import SHRED_WAKE, RetentionDesk
from services.audit.retention.ordering import ordering
from services.audit.sealer import Sealer, Sealing
from services.audit.settings import AuditSettings, load_signers, load_witnessed
from shared.contracts.base import Topic
from shared.messaging.bus import Bus
from shared.messaging.buses import open_bus
from shared.messaging.service import Consuming
from shared.messaging.worker import WORK_WAKE
from shared.runtime.auth import TokenVerifier
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


@dataclass(frozen=True)
class _Neighbours:
    """The services that audit asks."""

    intake: InternalClient
    notify: InternalClient

    @classmethod
    def of(cls, settings: AuditSettings) -> "_Neighbours":
        return cls(
            InternalClient("intake", settings.intake_url, tokens(settings, NAME, INTAKE_SCOPES)),
            InternalClient("notify", settings.notify_url, tokens(settings, NAME, NOTIFY_SCOPES)),
        )

    async def close(self) -> None:
        await self.intake.close()
        await self.notify.close()


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
    verifier = TokenVerifier(settings.jwks, settings.issuer)
    dsn = settings.dsn.get_secret_value()
    neighbours = _Neighbours.of(settings)
    wakes = Wakes()
    signals = Signals(dsn, f"hartline {NAME} signals")
    db = open_database(settings, wakes)
    bus = open_bus(settings, f"hartline {NAME}")
    try:
        await check_server(db)
        await check_head(db, NAME)
        if not alone:
            share_wakes(wakes, signals, NAME, (store.SEAL_WAKE, SHRED_WAKE, WORK_WAKE))
            signals.start()
        sealer = Sealer(db, dsn, sealing)
        yield _put_together(settings, db, bus, verifier, sealer, neighbours)
    finally:
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
    sealer: Sealer,
    neighbours: _Neighbours,
) -> App:
    dsn = settings.dsn.get_secret_value()
    topics = (Topic.DISCLOSURES,)
    messaging = Consuming(NAME, db, dsn, bus, INBOX, topics, HANDLERS, pace=PACE_SECONDS)
    readiness = Readiness(database=lambda: _answers(db), log=lambda: _sound(sealer))
    ages = _ages(db, messaging)
    development = settings.profile is Profile.DEVELOPMENT
    api = create_app("Hartline audit", verifier, readiness=readiness, development=development)
    people, names = HttpPeople(neighbours.intake), HttpNames(neighbours.notify)
    for router in area_routes(db, people, names, settings.retention_years):
        api.include_router(router)
    api.include_router(routes(db))
    roles: dict[str, Role] = {
        "api": serve(api, settings.host, settings.port),
        "consume": messaging.consume,
        "work": ordering(db, people, messaging.work),
        "seal": sealer.run,
    }
    ops = serve(operations(NAME, readiness, ages), settings.host, settings.ops_port)
    return App(db, messaging, api, readiness, ages, sealer, roles, ops)


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


def _ages(db: Database, messaging: Consuming) -> Ages:
    async def read() -> dict[str, float]:
        async with db.transaction() as session:
            ages = await messaging.ages(session) | await store.ages(session)
            ages |= await accounting_store.ages(session)
            return ages | await retention_store.ages(session)

    ages = Ages(NAME)
    ages.add(read)
    return ages


async def _answers(db: Database) -> None:
    async with db.transaction() as session:
        await session.execute(text("SELECT 1"))


async def _sound(sealer: Sealer) -> str | None:
    return sealer.forked
