"""What the intake service is made of."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import Depends, FastAPI
from sqlalchemy import text

from services.intake import reading_api, window_store
from services.intake.amending import Amending
from services.intake.api import Desk, creation, routes
from services.intake.areas import make_areas
from services.intake.check import watch_routes
from services.intake.hart.door import keeping_out
from services.intake.hart.recusing import Recusals
from services.intake.keyed import Keyed
from services.intake.life import Parts, life_ages, life_routes, make_life
from services.intake.models import OUTBOX
from services.intake.niem import api as niem
from services.intake.niem.table import load_table
from services.intake.once import Once
from services.intake.openapi.document import document
from services.intake.projections import load_profiles
from services.intake.receiving import Receiving
from services.intake.sealed_notes import Notes
from services.intake.settings import IntakeSettings
from services.intake.statistics import api as statistics_api
from services.intake.statistics import store as statistics_store
from services.intake.statistics.api import StatisticsDesk
from services.intake.statistics.exporting import Exporting
from services.intake.statistics.reading import Reading
from services.intake.statistics.releasing import Releasing
from services.intake.statistics.tallying import Tallying
from services.intake.sweeper import Chore, Patience, Sweeper
from services.intake.towns import load_towns
from services.intake.versions import Announcing
from services.intake.viewing import Viewing
from shared.contracts.base import Source, Topic
from shared.messaging.buses import open_bus
from shared.messaging.outbox import RELAY_WAKES, Outbox
from shared.messaging.service import Emitting
from shared.messaging.watermark import watermark_routes
from shared.runtime.auth import TokenVerifier
from shared.runtime.closed_windows import window_routes
from shared.runtime.db import Database, check_server
from shared.runtime.guard import Limits
from shared.runtime.http import create_app, serve
from shared.runtime.ids import utc_now
from shared.runtime.lifecycle import Role
from shared.runtime.migrate import check_head
from shared.runtime.ops import Ages, Readiness, operations
from shared.runtime.pgnotify import Signals, share_wakes
from shared.runtime.settings import Profile
from shared.runtime.straight import add_straight
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
    keyed = Keyed.load(settings.keys)
    verifier = TokenVerifier(settings.jwks, settings.issuer)
    dsn = settings.dsn.get_secret_value()
    wakes = Wakes()
    signals = Signals(dsn, f"hartline {NAME} signals")
    db = open_database(settings, wakes)
    bus = open_bus(settings, f"hartline {NAME}")
    try:
        await check_server(db)
        await check_head(db, NAME)
        share_wakes(wakes, signals, NAME, (), led=RELAY_WAKES, whole=alone)
        signals.start()
        messaging = Emitting(NAME, db, dsn, bus, OUTBOX, Source.INTAKE)
        desk = make_desk(db, messaging.outbox, keyed, settings.patience, sandbox=settings.sandbox)
        yield _put_together(settings, messaging, verifier, desk)
    finally:
        await signals.close()
        await bus.close()
        await db.close()


def make_desk(
    db: Database,
    outbox: Outbox,
    keyed: Keyed,
    patience: Patience = _PATIENCE,
    *,
    sandbox: bool = False,
) -> Desk:
    """What the routes stand on."""
    vault, digests, towns = keyed.vault, keyed.digests, load_towns()
    receiving = Receiving(db, outbox, vault, digests, sandbox=sandbox)
    viewing = Viewing(db, outbox, vault, digests, load_profiles())
    recusals = Recusals(Once(db, digests), Notes(vault.sealer), keyed.blind)
    parts = Parts(db, outbox, vault, digests, keyed.blind, receiving, towns, recusals.hidden)
    life = make_life(parts, patience.call)
    return Desk(
        db=db,
        receiving=receiving,
        amending=Amending(db, outbox, vault, digests, towns, life.decisions.deciding.added),
        viewing=viewing,
        towns=towns,
        life=life,
        areas=make_areas(db, outbox, vault, digests, keyed.blind, viewing, recusals, patience.case),
        statistics=make_statistics(db, outbox, keyed),
    )


def add_routes(api: FastAPI, desk: Desk) -> None:
    """The routes of every area, behind one door, and the watermark. Raises Misconfigured for a
    table that does not fit.

    Each router by itself, with the door: FastAPI looks for the route of a request once in every
    router that holds another.
    """
    listed = frozenset().union(*load_profiles().values())
    door = Depends(keeping_out(desk.db, desk.areas.recusals))
    for each in (creation(desk), reading_api.routes(desk.viewing)):
        add_straight(api, each, [door])
    for each in (
        routes(desk),
        niem.routes(desk.viewing, load_table(listed)),
        *life_routes(desk.life),
        *desk.areas.routers,
        statistics_api.routes(desk.statistics),
    ):
        api.include_router(each, dependencies=[door])
    api.include_router(watermark_routes(desk.db, OUTBOX, Topic.REFERRALS))


def make_statistics(db: Database, outbox: Outbox, keyed: Keyed) -> StatisticsDesk:
    """What the statistics' routes stand on; its tallying is also the role sweep's."""
    digests, pseudonyms, towns = keyed.digests, keyed.pseudonyms, load_towns()
    tallying = Tallying(db, keyed.vault, pseudonyms, towns)
    releasing = Releasing(db, tallying, digests, {pseudonyms.town(town): town for town in towns})
    reading = Reading(db, outbox, digests, tallying, releasing)
    exporting = Exporting(db, outbox, digests, tallying, releasing)
    return StatisticsDesk(releasing, reading, exporting, tallying, towns)


_TALLIED_AT_ONCE = 50


def chores(desk: Desk) -> Mapping[str, Chore]:
    """What the role sweep does, by name."""

    async def tally() -> bool:
        return await desk.statistics.tallying.some(utc_now(), _TALLIED_AT_ONCE)

    return {**desk.life.chores, **desk.areas.chores, "tally": tally}


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
    add_routes(api, desk)
    api.include_router(window_routes(db, window_store.KINDS))
    api.openapi = document  # type: ignore[method-assign]
    api.add_middleware(Announcing, more=_SANDBOX if settings.sandbox else {})
    roles: dict[str, Role] = {
        "api": serve(api, settings.host, settings.port),
        "sweep": Sweeper(chores(desk)).run,
        "relay": messaging.relay,
    }
    inner = operations(NAME, readiness, ages, run=settings.run)
    inner.router.routes.extend(watch_routes(settings, db))
    ops = serve(inner, settings.host, settings.ops_port)
    return App(db, messaging, api, readiness, ages, roles, ops)


def _ages(desk: Desk, messaging: Emitting) -> Ages:
    async def read() -> dict[str, float]:
        async with desk.db.transaction() as session:
            waiting = await life_ages(session) | await desk.areas.ages(session, utc_now())
            waiting["tally"] = await statistics_store.age(session)
            return await messaging.ages(session) | waiting

    ages = Ages(NAME)
    ages.add(read)
    return ages


async def _answers(db: Database) -> None:
    async with db.transaction() as session:
        await session.execute(text("SELECT 1"))
