"""What the intake service is made of."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import APIRouter, FastAPI
from sqlalchemy import text

from services.intake.amending import Amending
from services.intake.api import Desk, routes
from services.intake.areas import make_areas
from services.intake.digests import Digests
from services.intake.life import Parts, life_ages, life_routes, make_life
from services.intake.matching.blind import BlindIndex
from services.intake.models import OUTBOX
from services.intake.niem import api as niem
from services.intake.niem.table import load_table
from services.intake.openapi.document import document
from services.intake.projections import load_profiles
from services.intake.receiving import Receiving
from services.intake.settings import IntakeSettings
from services.intake.sweeper import Patience, Sweeper
from services.intake.towns import load_towns
from services.intake.vault import Vault
from services.intake.versions import Announcing
from services.intake.viewing import Viewing
from shared.contracts.base import Source
from shared.messaging.buses import open_bus
from shared.messaging.outbox import RELAY_WAKE, Outbox
from shared.messaging.service import Emitting
from shared.runtime.auth import TokenVerifier
from shared.runtime.db import Database, check_server
from shared.runtime.guard import Limits
from shared.runtime.http import create_app, serve
from shared.runtime.ids import utc_now
from shared.runtime.lifecycle import Role
from shared.runtime.migrate import check_head
from shared.runtime.ops import Ages, Readiness, operations
from shared.runtime.pgnotify import Signals, share_wakes
from shared.runtime.sealing import Keyring, Sealer
from shared.runtime.settings import Profile
from shared.runtime.wakes import Wakes

NAME = "intake"
_PATIENCE = Patience()
_SANDBOX = {"Hartline-Sandbox": "true"}
LIMITS = Limits(in_flight=256)
"""The phone system is made to wait rather than refused: a caller is on the line."""


@dataclass(frozen=True)
class App:
    """The service, put together and not yet running."""

    db: Database
    messaging: Emitting
    api: FastAPI
    readiness: Readiness
    ages: Ages
    roles: Mapping[str, Role]
    operations: Role


def open_database(settings: IntakeSettings, wakes: Wakes) -> Database:
    return Database.open(settings.dsn.get_secret_value(), wakes, name=f"hartline {NAME}")


@asynccontextmanager
async def open_app(settings: IntakeSettings, *, alone: bool = True) -> AsyncIterator[App]:
    """Everything of the service. `alone` unless its roles run in several processes.

    Raises Misconfigured or UnsafeServer before anything runs.
    """
    vault = Vault(Sealer(Keyring.load(settings.keys)))
    digests = Digests.load(settings.keys)
    blind = BlindIndex.load(settings.keys)
    verifier = TokenVerifier(settings.jwks, settings.issuer)
    dsn = settings.dsn.get_secret_value()
    wakes = Wakes()
    signals = Signals(dsn, f"hartline {NAME} signals")
    db = open_database(settings, wakes)
    bus = open_bus(settings, f"hartline {NAME}")
    try:
        await check_server(db)
        await check_head(db, NAME)
        if not alone:
            share_wakes(wakes, signals, NAME, (RELAY_WAKE,))
            signals.start()
        messaging = Emitting(NAME, db, dsn, bus, OUTBOX, Source.INTAKE)
        desk = make_desk(
            db,
            messaging.outbox,
            vault,
            digests,
            blind,
            settings.patience,
            sandbox=settings.sandbox,
        )
        yield _put_together(settings, messaging, verifier, desk)
    finally:
        await signals.close()
        await bus.close()
        await db.close()


def make_desk(
    db: Database,
    outbox: Outbox,
    vault: Vault,
    digests: Digests,
    blind: BlindIndex,
    patience: Patience = _PATIENCE,
    *,
    sandbox: bool = False,
) -> Desk:
    """What the routes stand on."""
    towns = load_towns()
    receiving = Receiving(db, outbox, vault, digests, sandbox=sandbox)
    viewing = Viewing(db, outbox, vault, digests, load_profiles())
    return Desk(
        db=db,
        receiving=receiving,
        amending=Amending(db, outbox, vault, digests, towns),
        viewing=viewing,
        towns=towns,
        life=make_life(Parts(db, outbox, vault, digests, blind, receiving, towns), patience.call),
        areas=make_areas(db, outbox, vault, digests, viewing, patience.case),
    )


def all_routes(desk: Desk) -> Sequence[APIRouter]:
    """The routes of every area. Raises Misconfigured for a table that does not fit."""
    listed = frozenset().union(*load_profiles().values())
    return (
        routes(desk),
        niem.routes(desk.viewing, load_table(listed)),
        *life_routes(desk.life),
        *desk.areas.routers,
    )


def _put_together(
    settings: IntakeSettings, messaging: Emitting, verifier: TokenVerifier, desk: Desk
) -> App:
    db = desk.db
    readiness = Readiness(database=lambda: _answers(db))
    ages = _ages(desk, messaging)
    development = settings.profile is Profile.DEVELOPMENT
    api = create_app(
        "Hartline intake",
        verifier,
        readiness=readiness,
        limits=LIMITS,
        development=development,
    )
    for router in all_routes(desk):
        api.include_router(router)
    api.openapi = document  # type: ignore[method-assign]
    api.add_middleware(Announcing, more=_SANDBOX if settings.sandbox else {})
    roles: dict[str, Role] = {
        "api": serve(api, settings.host, settings.port),
        "sweep": Sweeper({**desk.life.chores, **desk.areas.chores}).run,
        "relay": messaging.relay,
    }
    ops = serve(operations(NAME, readiness, ages), settings.host, settings.ops_port)
    return App(db, messaging, api, readiness, ages, roles, ops)


def _ages(desk: Desk, messaging: Emitting) -> Ages:
    async def read() -> dict[str, float]:
        async with desk.db.transaction() as session:
            waiting = await life_ages(session) | await desk.areas.ages(session, utc_now())
            return await messaging.ages(session) | waiting

    ages = Ages(NAME)
    ages.add(read)
    return ages


async def _answers(db: Database) -> None:
    async with db.transaction() as session:
        await session.execute(text("SELECT 1"))
