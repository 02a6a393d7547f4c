"""What the deadlines service is made of."""

import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI
from sqlalchemy import text

from services.deadlines import sweep_store
from services.deadlines.api import routes
from services.deadlines.calendars import calendar_left
from services.deadlines.changes.api import change_routes
from services.deadlines.changes.proposing import Changes
from services.deadlines.changes.watching import Watching
from services.deadlines.check import watch_routes
from services.deadlines.consumer import SWEEP_WAKE, handlers
from services.deadlines.keeper import Keeper
from services.deadlines.models import INBOX, OUTBOX
from services.deadlines.neighbours import SCOPES, SECONDS, HttpNeighbour, Neighbours
from services.deadlines.policy_files import load, load_calendars
from services.deadlines.policy_register import open_book
from services.deadlines.report_api import report_routes
from services.deadlines.settings import DeadlinesSettings
from services.deadlines.sweeper import Sweeper
from services.deadlines.timekeeper import Timekeeper
from shared.contracts.base import Source, Topic
from shared.messaging.bus import Bus
from shared.messaging.buses import open_bus
from shared.messaging.outbox import RELAY_WAKES
from shared.messaging.service import Consuming, Emitting
from shared.messaging.worker import WORK_WAKE
from shared.runtime import metrics
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

NAME = "deadlines"
PACE_SECONDS = 0.25
"""Between two batches of facts. Clocks run for hours, and are folded from all that is known: what
comes of a referral within that time is folded once."""
LONGEST_PACE_SECONDS = 1.0
"""While more comes than can be folded one by one. A breach waits for what has not arrived here:
the sweeper asks how much was emitted."""


@dataclass(frozen=True)
class App:
    """The service, put together and not yet running."""

    db: Database
    api: FastAPI
    readiness: Readiness
    ages: Ages
    roles: Mapping[str, Role]
    operations: Role
    policies: Role
    """Runs in every process, whatever its roles: it follows the policies that people change."""


def open_database(settings: DeadlinesSettings, wakes: Wakes) -> Database:
    return Database.open(settings.dsn.get_secret_value(), wakes, name=f"hartline {NAME}")


@asynccontextmanager
async def open_app(settings: DeadlinesSettings, *, alone: bool = True) -> AsyncIterator[App]:
    """Everything of the service. `alone` unless its roles run in several processes.

    Raises Misconfigured or UnsafeServer before anything runs.
    """
    policies = load()
    verifier = TokenVerifier(settings.jwks, settings.issuer)
    bearer = tokens(settings, f"service:{NAME}", SCOPES)
    urls = {Source.INTAKE: settings.intake_url, Source.NOTIFY: settings.notify_url}
    clients = {
        source: InternalClient(source.name.lower(), url, bearer, seconds=SECONDS)
        for source, url in urls.items()
    }
    clock = Timekeeper()
    asked = {source: HttpNeighbour(each) for source, each in clients.items()}
    wakes = Wakes()
    signals = Signals(settings.dsn.get_secret_value(), f"hartline {NAME} signals")
    db = open_database(settings, wakes)
    bus = open_bus(settings, f"hartline {NAME}")
    try:
        await check_server(db)
        await check_head(db, NAME)
        names = WORK_WAKE, SWEEP_WAKE
        share_wakes(wakes, signals, NAME, names, led=RELAY_WAKES, whole=alone)
        signals.start()
        dsn = settings.dsn.get_secret_value()
        emitting = Emitting(NAME, db, dsn, bus, OUTBOX, Source.DEADLINES)
        keeper = Keeper(await open_book(db, policies), emitting.outbox)
        consuming = _consuming(settings, db, bus, keeper)
        sweeper = Sweeper(db, keeper, Neighbours(asked, clock), clock)
        changes = Changes(db, policies, load_calendars())
        watching = Watching(db, policies, keeper)
        yield _put_together(settings, db, verifier, emitting, consuming, sweeper, changes, watching)
    finally:
        await signals.close()
        await bus.close()
        for client in clients.values():
            await client.close()
        await db.close()


def _consuming(settings: DeadlinesSettings, db: Database, bus: Bus, keeper: Keeper) -> Consuming:
    topics = (Topic.REFERRALS, Topic.NOTICES)
    dsn = settings.dsn.get_secret_value()
    return Consuming(
        NAME,
        db,
        dsn,
        bus,
        INBOX,
        topics,
        handlers(keeper),
        pace=PACE_SECONDS,
        longest=LONGEST_PACE_SECONDS,
    )


def _put_together(
    settings: DeadlinesSettings,
    db: Database,
    verifier: TokenVerifier,
    emitting: Emitting,
    consuming: Consuming,
    sweeper: Sweeper,
    changes: Changes,
    watching: Watching,
) -> App:
    readiness = Readiness(database=lambda: _answers(db))
    ages = _ages(db, emitting, consuming)
    development = settings.profile is Profile.DEVELOPMENT
    api = create_app("Hartline deadlines", verifier, readiness=readiness, development=development)
    api.include_router(routes(db))
    api.include_router(report_routes(db))
    api.include_router(change_routes(db, changes))
    roles: dict[str, Role] = {
        "api": serve(api, settings.host, settings.port),
        "consume": consuming.consume,
        "work": consuming.work,
        "sweep": sweeper.run,
        "relay": emitting.relay,
    }
    inner = operations(NAME, readiness, ages, run=settings.run)
    inner.router.routes.extend(watch_routes(settings, db))
    ops = serve(inner, settings.host, settings.ops_port)
    return App(db, api, readiness, ages, roles, ops, watching.run)


def _ages(db: Database, emitting: Emitting, consuming: Consuming) -> Ages:
    calendars = tuple(load_calendars().values())

    async def read() -> dict[str, float]:
        async with db.transaction() as session:
            overdue, next_due, soon = await sweep_store.waiting(session)
            metrics.DUE_SOON.set(soon)
            metrics.CALENDAR_ENDS.set(calendar_left(calendars, utc_now()))
            metrics.NEXT_DUE.set(math.nan if next_due is None else next_due)
            ages = await emitting.ages(session) | await consuming.ages(session)
        return ages | {"clock": overdue}

    ages = Ages(NAME)
    ages.add(read)
    return ages


async def _answers(db: Database) -> None:
    async with db.transaction() as session:
        await session.execute(text("SELECT 1"))
