"""What the intake service is made of."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI
from sqlalchemy import text

from services.intake.amending import Amending
from services.intake.api import Desk, routes
from services.intake.digests import Digests
from services.intake.models import OUTBOX
from services.intake.projections import load_profiles
from services.intake.receiving import Receiving
from services.intake.settings import IntakeSettings
from services.intake.statistics import store as statistics_store
from services.intake.statistics.api import StatisticsDesk
from services.intake.statistics.api import routes as statistics_routes
from services.intake.statistics.exporting import Exporting
from services.intake.statistics.pseudonyms import Pseudonyms
from services.intake.statistics.reading import Reading
from services.intake.statistics.releasing import Releasing
from services.intake.statistics.tallying import Tallying
from services.intake.towns import load_towns
from services.intake.vault import Vault
from services.intake.viewing import Viewing
from shared.contracts.base import Source
from shared.messaging.buses import open_bus
from shared.messaging.outbox import RELAY_WAKE, Outbox
from shared.messaging.service import Emitting
from shared.runtime.auth import TokenVerifier
from shared.runtime.db import Database, check_server
from shared.runtime.guard import Limits
from shared.runtime.http import create_app, serve
from shared.runtime.lifecycle import Role
from shared.runtime.migrate import check_head
from shared.runtime.ops import Ages, Readiness, operations
from shared.runtime.pgnotify import Signals, share_wakes
from shared.runtime.sealing import Keyring, Sealer
from shared.runtime.settings import Profile
from shared.runtime.wakes import Wakes

NAME = "intake"
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
    pseudonyms = Pseudonyms.load(settings.keys)
    verifier = TokenVerifier(settings.jwks, settings.issuer)
    dsn = settings.dsn.get_secret_value()
    wakes = Wakes()
    signals = Signals(dsn, f"hartline {NAME} signals")
    db = open_database(settings, wakes)
    bus = open_bus(settings, f"hartline {NAME}")
    try:
        await check_server(db.engine)
        await check_head(db.engine, NAME)
        if not alone:
            share_wakes(wakes, signals, NAME, (RELAY_WAKE,))
            signals.start()
        messaging = Emitting(NAME, db, dsn, bus, OUTBOX, Source.INTAKE)
        desk = make_desk(db, messaging.outbox, vault, digests)
        statistics = make_statistics(db, messaging.outbox, vault, digests, pseudonyms)
        yield _put_together(settings, messaging, verifier, desk, statistics)
    finally:
        await signals.close()
        await bus.close()
        await db.close()


def make_desk(db: Database, outbox: Outbox, vault: Vault, digests: Digests) -> Desk:
    """What the routes stand on."""
    towns = load_towns()
    return Desk(
        db=db,
        receiving=Receiving(db, outbox, vault, digests),
        amending=Amending(db, outbox, vault, towns),
        viewing=Viewing(db, outbox, vault, digests, load_profiles()),
        towns=towns,
    )


def make_statistics(
    db: Database, outbox: Outbox, vault: Vault, digests: Digests, pseudonyms: Pseudonyms
) -> StatisticsDesk:
    """What the statistics' routes stand on; its tallying is also the role sweep's."""
    towns = load_towns()
    tallying = Tallying(db, vault, pseudonyms, towns)
    releasing = Releasing(db, tallying, digests, {pseudonyms.town(town): town for town in towns})
    reading = Reading(db, outbox, digests, tallying, releasing)
    exporting = Exporting(db, outbox, digests, tallying, releasing)
    return StatisticsDesk(releasing, reading, exporting, tallying, towns)


def _put_together(
    settings: IntakeSettings,
    messaging: Emitting,
    verifier: TokenVerifier,
    desk: Desk,
    statistics: StatisticsDesk,
) -> App:
    db = desk.db
    readiness = Readiness(database=lambda: _answers(db))
    ages = _ages(db, messaging)
    development = settings.profile is Profile.DEVELOPMENT
    api = create_app(
        "Hartline intake",
        verifier,
        readiness=readiness,
        limits=LIMITS,
        development=development,
    )
    api.include_router(routes(desk))
    api.include_router(statistics_routes(statistics))
    roles: dict[str, Role] = {
        "api": serve(api, settings.host, settings.port),
        "relay": messaging.relay,
    }
    ops = serve(operations(NAME, readiness, ages), settings.host, settings.ops_port)
    return App(db, messaging, api, readiness, ages, roles, ops)


def _ages(db: Database, messaging: Emitting) -> Ages:
    async def read() -> dict[str, float]:
        async with db.transaction() as session:
            ages = await messaging.ages(session)
            return ages | {"tally": await statistics_store.age(session)}

    ages = Ages(NAME)
    ages.add(read)
    return ages


async def _answers(db: Database) -> None:
    async with db.transaction() as session:
        await session.execute(text("SELECT 1"))
