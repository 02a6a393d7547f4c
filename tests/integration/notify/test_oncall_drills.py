"""Synthetic referrals in production, the built-in recipient of them, and the heartbeat."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from deploy.machine.ports import free_ports
from services.intake.schemas import NewReferral
from services.notify.conflicts.substitution import Substitutes
from services.notify.delivery.commitment import Committer
from services.notify.delivery.sender import HttpSender
from services.notify.directory import seeding
from services.notify.directory import store as directory_store
from services.notify.directory.in_force import Directories
from services.notify.mailbox.answering import Answers
from services.notify.models import OUTBOX
from services.notify.oncall import drill_store, recipient
from services.notify.oncall.drilling import Drilling
from services.notify.oncall.heartbeat import Heartbeat, Pulses
from services.notify.planning.drafting import Clerk
from services.notify.synthetic import RECIPIENTS
from shared.contracts.base import Source
from shared.contracts.codes import Role
from shared.contracts.notices import NoticesAcknowledged
from shared.messaging.outbox import Outbox
from shared.runtime import keys, metrics
from shared.runtime.ids import new_id, utc_now
from shared.runtime.internal_http import InternalClient
from shared.runtime.ops import Ages, Readiness, operations
from shared.runtime.server import listen, serve_on
from tests.support.deliveries import World, eventually
from tests.support.planning import Child, Planning
from tests.support.receiver import Receiver, answer, receiving


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    keys.make("hmac", tmp_path / "commitment-1.key")
    return tmp_path


@asynccontextmanager
async def built_in(world: World, folder: Path) -> AsyncIterator[str]:
    """The recipient on an operations port, and in the directory; the beginning of its URLs."""
    (port,) = free_ports(1)
    key = recipient.private_key(folder)
    async with world.db.transaction() as session:
        await seeding.put(session, recipient.entries(key, port), utc_now())
    app = operations("notify", Readiness(), Ages("notify"))
    app.router.routes.append(recipient.route(world.db, key, world.signer))
    stop = asyncio.Event()
    with listen("127.0.0.1", port) as listener:
        serving = asyncio.ensure_future(serve_on(app, listener, stop))
        try:
            yield recipient.base_url(port)
        finally:
            stop.set()
            await serving


def production(world: World) -> Planning:
    clerk = Clerk(world.sealer, Committer(bytes(32)))
    return Planning(world.db, directories=Directories(samples=False), clerk=clerk, now=utc_now())


def intake_of(referral_id: str) -> Any:
    return answer(201, body=f'{{"referral_id": "{referral_id}"}}'.encode())


Clients = Callable[[str, Receiver], InternalClient]


@pytest.fixture
async def client() -> AsyncIterator[Clients]:
    """Makes clients of other services; closed at the end."""
    made = []

    def open_client(name: str, receiver: Receiver) -> InternalClient:
        made.append(InternalClient(name, f"http://127.0.0.1:{receiver.port}", lambda: "token"))
        return made[-1]

    yield open_client
    for each in made:
        await each.close()


async def test_p9_in_production_a_synthetic_referral_goes_the_whole_way_and_nowhere_else(
    world: World, folder: Path, client: Clients
) -> None:
    plan = production(world)
    async with built_in(world, folder) as own, receiving() as intake, receiving() as audit:
        await world.agency("http://127.0.0.1:9/", kind="fbi", sample=False)
        data = plan.announce(Child(), synthetic=True)
        intake.behaviour = intake_of(data.referral_id)
        audit.behaviour = answer(404)
        drilling = Drilling(
            world.db, client("intake", intake), client("audit", audit), own=answers_of(world, plan)
        )
        await drilling.once()
        await drilling.once()
        assert len(intake.requests) == 1, "one a minute"
        assert intake.requests[0].headers["idempotency-key"].startswith("synthetic-")
        taken = NewReferral.model_validate_json(intake.requests[0].body)
        assert taken.synthetic

        await plan.plan(data)
        told = await world.rows("SELECT agency_id, role FROM notify.notices")
        assert {row.agency_id for row in told} <= RECIPIENTS
        assert {Role(row.role) for row in told} == {
            Role.LOCAL_LAW_ENFORCEMENT,
            Role.HART_LEAD_STATEWIDE,
            Role.FBI,
            Role.CHIEF_STATES_ATTORNEY,
            Role.MDT,
        }
        assert await world.tasks() == [], "and nobody is bothered"
        assert metrics.DRILL_PASSED._value.get() == 0
        async with world.delivering(open_sender=partial(HttpSender, own=own)):
            await eventually(lambda: all_delivered(world))
        assert await world.events(NoticesAcknowledged) == []
        await drilling.once()
        assert metrics.DRILL_PASSED._value.get() == 0, "the log has nothing of it yet"
        heard = await world.events(NoticesAcknowledged)
        assert {each.notices[0].agency_id for each in heard} == {row.agency_id for row in told}
        audit.behaviour = answer(200, body=b'{"entries": [{}]}')
        await drilling.once()
        assert metrics.DRILL_PASSED._value.get() > 0
        assert len(await world.events(NoticesAcknowledged)) == len(told), "once each"
        assert await world.rows("SELECT FROM notify.deliveries WHERE acknowledged_at IS NULL") == []


async def test_p9_what_is_opened_and_not_acknowledged_has_not_passed(
    world: World, folder: Path
) -> None:
    """The acknowledgement is a part of the way, and its silence an alert."""
    plan = production(world)
    async with built_in(world, folder) as own:
        data = plan.announce(Child(), synthetic=True)
        await plan.plan(data)
        async with world.db.transaction() as session:
            assert await drill_store.begin(session, 1, utc_now())
            await drill_store.taken(session, 1, data.referral_id)
        async with world.delivering(open_sender=partial(HttpSender, own=own)):
            await eventually(lambda: all_delivered(world))
    async with world.db.transaction() as session:
        assert list(await drill_store.arrived(session, utc_now(), own=True)) == []
        assert len(await drill_store.unanswered(session, utc_now())) == 5


def answers_of(world: World, plan: Planning) -> Answers:
    outbox = Outbox(OUTBOX, Source.NOTIFY)
    substitutes = Substitutes(plan.directories, plan.rulebooks, plan.clerk, outbox)
    return Answers(world.sealer, outbox, substitutes)


async def all_delivered(world: World) -> bool:
    return set(await world.states()) == {"delivered"}


async def test_what_is_not_ours_is_not_received(world: World, folder: Path) -> None:
    async with built_in(world, folder) as own, httpx.AsyncClient() as stranger:
        agency_id = sorted(RECIPIENTS)[0]
        headers = {"webhook-id": new_id("ntc"), "webhook-timestamp": "0"}
        refused = await stranger.post(own + agency_id, content=b"x", headers=headers)
        assert refused.status_code == 400
    assert await world.rows("SELECT * FROM notify.drill_receipts") == []


async def test_only_our_own_recipient_may_be_reached_in_clear(
    world: World, folder: Path, receiver: Receiver
) -> None:
    notice = await world.notice(await world.agency(receiver.url))
    sender = partial(HttpSender, own="http://127.0.0.1:9/synthetic/")
    async with world.delivering(open_sender=sender):
        await eventually(lambda: failed(world, notice))
    assert receiver.requests == []


async def failed(world: World, notice_id: str) -> bool:
    return "failed" in await world.facts(notice_id)


async def test_the_built_in_recipients_are_no_samples_that_stop_a_production_start(
    world: World, folder: Path
) -> None:
    async with world.db.transaction() as session:
        await seeding.put(
            session, recipient.entries(recipient.private_key(folder), 9009), utc_now()
        )
        assert await directory_store.count_samples(session) == 0
        again = await seeding.put(
            session, recipient.entries(recipient.private_key(folder), 9009), utc_now()
        )
    assert again == 1, "installed once"
    await world.agency(None, sample=True)
    async with world.db.transaction() as session:
        assert await directory_store.count_samples(session) == 1


async def test_two_pagers_send_one_synthetic_referral_a_minute(
    world: World, client: Clients
) -> None:
    async with receiving() as intake:
        intake.behaviour = intake_of(new_id("ref"))
        now = utc_now()
        drillings = [
            Drilling(world.db, client("intake", intake), None, own=None, clock=lambda: now)
            for _ in range(4)
        ]
        await asyncio.gather(*(each.once() for each in drillings))
        assert len(intake.requests) == 1
        now += timedelta(minutes=1)
        await asyncio.gather(*(each.once() for each in drillings))
        assert len(intake.requests) == 2


async def test_an_intake_that_is_away_leaves_silence_and_no_error(
    world: World, client: Clients
) -> None:
    async with receiving() as intake:
        intake.behaviour = answer(503)
        await Drilling(world.db, client("intake", intake), None, own=None).once()
    async with world.db.transaction() as session:
        assert await drill_store.last_passed(session) is None


# The heartbeat


async def test_p9_the_heart_beats_only_while_everything_works(
    world: World, receiver: Receiver
) -> None:
    now = datetime(2026, 3, 3, tzinfo=UTC)
    broken: dict[str, str | None] = {"database": None}

    async def database() -> str | None:
        return broken["database"]

    pulses = Pulses()

    def heart() -> Heartbeat:
        return Heartbeat(
            world.db,
            receiver.url,
            Readiness(database=database),
            pulses,
            watched=["paging"],
            drills=True,
            clock=lambda: now,
        )

    await heart().once()
    assert receiver.requests == [], "nobody is paged, and no synthetic referral has passed"
    pulses.beat("paging")
    async with world.db.transaction() as session:
        await session.execute(
            text("INSERT INTO notify.drills (slot, begun_at, passed_at) VALUES (1, :now, :now)"),
            {"now": now},
        )
    await heart().once()
    (beat,) = receiver.requests
    assert b"alive" in beat.body
    broken["database"] = "is away"
    await heart().once()
    now += timedelta(minutes=6)
    broken["database"] = None
    await heart().once()
    assert len(receiver.requests) == 1


async def test_p9_the_heart_stops_when_paging_does(world: World, receiver: Receiver) -> None:
    pulses = Pulses()
    pulses.beat("paging")
    pulses.times["paging"] -= 91
    readiness = Readiness()
    heart = Heartbeat(world.db, receiver.url, readiness, pulses, watched=["paging"], drills=False)
    await heart.once()
    assert receiver.requests == []
    pulses.beat("paging")
    await heart.once()
    assert len(receiver.requests) == 1
