"""What the notify service is made of."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from fastapi import FastAPI

from services.notify import areas
from services.notify.areas import PROPOSABLES as PROPOSABLES
from services.notify.areas import chores
from services.notify.check import watch_routes
from services.notify.conflicts.substitution import Substitutes
from services.notify.conflicts.substitution_loop import substituting
from services.notify.controls.marking import look, marked
from services.notify.delivery.attempts import DELIVER_WAKE
from services.notify.delivery.commitment import Committer
from services.notify.delivery.deliver import deliver_role
from services.notify.delivery.postroom import Postroom
from services.notify.delivery.releasing import releasing
from services.notify.delivery.signing import Signer
from services.notify.directory import store as directory_store
from services.notify.directory.in_force import Directories
from services.notify.handlers import make_handlers
from services.notify.mailbox.answering import Answers
from services.notify.mailbox.sweep import reminding
from services.notify.mailbox.wiring import patience_of, relay_of, senders
from services.notify.measuring import count_from_zero
from services.notify.models import INBOX, OUTBOX
from services.notify.oncall.recipient import base_url
from services.notify.oncall.wiring import Area, install_recipient, make_area, own_recipient
from services.notify.planning import history_store as store
from services.notify.planning.drafting import Clerk
from services.notify.planning.intake_client import SCOPES
from services.notify.related.relating import Relating, beside
from services.notify.routers import Routed, all_routers
from services.notify.rulemaking.names import open_rulebooks
from services.notify.rulemaking.rulebooks import Rulebooks
from services.notify.settings import NotifySettings
from services.notify.shredding import shredding
from services.notify.stages.intake_client import HttpStageIntake
from services.notify.tasks.parked_tasks import work_role
from shared.contracts.base import Source, Topic
from shared.messaging.bus import Bus
from shared.messaging.buses import open_bus
from shared.messaging.outbox import RELAY_WAKES, Outbox
from shared.messaging.service import Consuming, Emitting
from shared.messaging.worker import WORK_WAKE
from shared.runtime.auth import TokenVerifier
from shared.runtime.db import Database, check_server
from shared.runtime.errors import Misconfigured
from shared.runtime.http import create_app, serve
from shared.runtime.internal_http import InternalClient, tokens
from shared.runtime.lifecycle import Role
from shared.runtime.mail import Relay
from shared.runtime.migrate import check_head
from shared.runtime.ops import Ages, Readiness, operations
from shared.runtime.pgnotify import Signals, share_wakes
from shared.runtime.sealing import Keyring, Sealer
from shared.runtime.settings import Profile
from shared.runtime.wakes import Wakes

NAME = "notify"


@dataclass(frozen=True)
class App:
    """The service, put together and not yet running."""

    db: Database
    emitting: Emitting
    consuming: Consuming
    api: FastAPI
    readiness: Readiness
    ages: Ages
    roles: Mapping[str, Role]
    operations: Role
    oncall: Area


@dataclass(frozen=True)
class _Parts:
    """What is read from files before anything is opened, so that a missing key stops the start."""

    sealer: Sealer
    clerk: Clerk
    signer: Signer
    verifier: TokenVerifier
    intake: InternalClient
    relay: Relay | None


def open_database(settings: NotifySettings, wakes: Wakes) -> Database:
    return Database.open(settings.dsn.get_secret_value(), wakes, name=f"hartline {NAME}")


@asynccontextmanager
async def open_app(settings: NotifySettings, *, alone: bool = True) -> AsyncIterator[App]:
    """Everything of the service. `alone` unless its roles run in several processes.

    Raises Misconfigured or UnsafeServer before anything runs.
    """
    parts = _read_parts(settings)
    dsn = settings.dsn.get_secret_value()
    wakes = Wakes()
    signals = Signals(dsn, f"hartline {NAME} signals")
    db = open_database(settings, wakes)
    bus = open_bus(settings, f"hartline {NAME}")
    try:
        await check_server(db)
        await check_head(db, NAME)
        await _refuse_samples(settings, db)
        await install_recipient(settings, db)
        rulebooks = await open_rulebooks(db)
        names = WORK_WAKE, DELIVER_WAKE
        share_wakes(wakes, signals, NAME, names, led=RELAY_WAKES, whole=alone)
        signals.start()
        app = _put_together(settings, db, bus, parts, rulebooks)
        try:
            yield app
        finally:
            for client in app.oncall.clients:
                await client.close()
    finally:
        await parts.intake.close()
        await signals.close()
        await bus.close()
        await db.close()


def _read_parts(settings: NotifySettings) -> _Parts:
    sealer = Sealer(Keyring.load(settings.keys))
    return _Parts(
        sealer=sealer,
        clerk=Clerk(sealer, Committer.load(settings.keys)),
        signer=Signer.load(settings.keys),
        verifier=TokenVerifier(settings.jwks, settings.issuer),
        intake=InternalClient("intake", settings.intake_url, tokens(settings, NAME, SCOPES)),
        relay=relay_of(settings),
    )


async def _refuse_samples(settings: NotifySettings, db: Database) -> None:
    if settings.profile is not Profile.PRODUCTION:
        return
    async with db.transaction() as session:
        count = await directory_store.count_samples(session)
    if count:
        raise Misconfigured(
            f"The directory holds {count} sample agencies and HARTLINE_PROFILE is production: "
            "nobody may be told by a sample. Load the real directory, or set "
            "HARTLINE_PROFILE=development."
        )


def _put_together(
    settings: NotifySettings, db: Database, bus: Bus, parts: _Parts, rulebooks: Rulebooks
) -> App:
    dsn, development = settings.dsn.get_secret_value(), settings.profile is Profile.DEVELOPMENT
    emitting = Emitting(NAME, db, dsn, bus, OUTBOX, Source.NOTIFY)
    directories = Directories(samples=development)
    intake = HttpStageIntake(parts.intake)
    handlers = make_handlers(db, emitting.outbox, intake, directories, rulebooks, parts.clerk)
    topics = (Topic.REFERRALS, Topic.DEADLINES)
    consuming = Consuming(NAME, db, dsn, bus, INBOX, topics, handlers)
    readiness = Readiness(directory=lambda: _has_directory(db))
    ages = _ages(db, emitting, consuming)
    api = create_app(
        "Hartline notify", parts.verifier, readiness=readiness, development=development
    )
    substitutes = Substitutes(directories, rulebooks, parts.clerk, emitting.outbox)
    routed = Routed(parts.sealer, parts.clerk, parts.signer, directories, rulebooks, substitutes)
    for each in all_routers(
        db, emitting.outbox, routed, development=development, keys=settings.keys
    ):
        api.include_router(each)
    more = chores(db, settings.keys, parts.sealer, emitting.outbox, substitutes)
    answers = Answers(parts.sealer, emitting.outbox, substitutes)
    crew = parts.signer, parts.sealer, answers
    oncall = make_area(settings, db, emitting.outbox, readiness, *crew, more)
    relating = Relating(db, directories, rulebooks, parts.clerk, emitting.outbox)
    work = beside(releasing(db, work_role(db, consuming)), relating)
    work = substituting(db, substitutes, work)
    roles: dict[str, Role] = {
        "api": serve(api, settings.host, settings.port),
        "consume": consuming.consume,
        "work": shredding(db, emitting.outbox, reminding(db, patience_of(settings), work)),
        "deliver": _deliver(settings, db, emitting.outbox, parts),
        "page": oncall.page,
        "relay": emitting.relay,
    }
    inner = operations(NAME, readiness, ages, run=settings.run)
    inner.router.routes.extend([*oncall.routes, *watch_routes(settings, db)])
    ops = serve(inner, settings.host, settings.ops_port)
    return App(db, emitting, consuming, api, readiness, ages, roles, ops, oncall)


def _deliver(settings: NotifySettings, db: Database, outbox: Outbox, parts: _Parts) -> Role:
    own = base_url(settings.ops_port) if own_recipient(settings) else None
    development = settings.profile is Profile.DEVELOPMENT
    open_sender = partial(senders, development, parts.relay, own, settings.keys)
    postroom, dsn = Postroom(parts.sealer, parts.signer), settings.dsn.get_secret_value()
    first = None if settings.marker is None else partial(look, db, settings.marker)
    deliver = deliver_role(db, dsn, outbox, postroom, open_sender, first=first)
    return marked(db, settings.marker, deliver)


def _ages(db: Database, emitting: Emitting, consuming: Consuming) -> Ages:
    """Side by side: what is long to read when much waits holds up nothing else."""

    async def messaging() -> dict[str, float]:
        async with db.connection() as session:
            return await emitting.ages(session) | await consuming.ages(session)

    async def notices() -> dict[str, float]:
        async with db.connection() as session:
            return await store.ages(session)

    async def beside() -> dict[str, float]:
        async with db.connection() as session:
            return await areas.ages(session)

    ages = Ages(NAME)
    for source in (messaging, notices, beside):
        ages.add(source)
    count_from_zero()
    return ages


async def _has_directory(db: Database) -> str | None:
    async with db.transaction() as session:
        version = await directory_store.version(session)
    return None if version else "the directory holds no agency yet: nothing can be planned"
