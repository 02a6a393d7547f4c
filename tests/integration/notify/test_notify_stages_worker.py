"""A referral's whole life arrives at once: the worker hands over its events in order, and again
what was prepared too early."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.notify import models
from services.notify.models import INBOX
from services.notify.stages.handlers import PlanAmended, PlanDecided, PlanShared, PlanWithdrawn
from shared.contracts.base import EventData, Topic
from shared.contracts.codes import WithdrawalCause
from shared.contracts.referrals import (
    ConsultShareRequested,
    ReferralAmended,
    ReferralDecided,
    ReferralReceived,
    ReferralWithdrawn,
)
from shared.messaging.bus import Batch, Incoming
from shared.messaging.handover import Handlers
from shared.messaging.inbox import Inbox
from shared.messaging.worker import Worker
from tests.support.databases import FreshDatabase
from tests.support.deliveries import World, eventually
from tests.support.planning import CSA, FBI, LEAD, MDT, POLICE, Child, envelope
from tests.support.stages import OFFICE, Staging


async def receive(staging: Staging, *events: tuple[EventData, int]) -> None:
    """Everything into the inbox in one batch; with each event its number in its stream."""
    records = [
        Incoming(
            Topic.REFERRALS.value, 0, offset, envelope(data, number).model_dump_json().encode()
        )
        for offset, (data, number) in enumerate(events)
    ]
    async with staging.db.transaction() as session:
        await Inbox(INBOX).receive(
            session, Batch(records, {(Topic.REFERRALS.value, 0): len(records)})
        )


@asynccontextmanager
async def working(database: FreshDatabase, staging: Staging) -> AsyncIterator[None]:
    stages = staging.stages
    handlers: Handlers = {
        ReferralReceived: staging.handler,
        ReferralAmended: PlanAmended(staging.handler, stages),
        ReferralDecided: PlanDecided(stages),
        ConsultShareRequested: PlanShared(stages),
        ReferralWithdrawn: PlanWithdrawn(stages),
    }
    dsn = database.dsns["notify"].app
    stop = asyncio.Event()
    worker = asyncio.ensure_future(Worker("notify", staging.db, dsn, INBOX, handlers).run(stop))
    try:
        yield
    finally:
        stop.set()
        staging.db.wakes.wake_here("work")
        await worker


async def work_through(database: FreshDatabase, staging: Staging, *events: EventData) -> None:
    """The worker, until nothing is left of one stream."""
    await receive(staging, *((data, number) for number, data in enumerate(events, 1)))

    async def through() -> bool:
        (stream,) = await staging.rows(INBOX.streams)
        assert stream["parked_at"] is None
        return bool(stream["cursor"] == len(events))

    async with working(database, staging):
        await eventually(through, within=20)


async def test_p8_a_life_that_arrives_at_once_ends_as_one_that_arrived_bit_by_bit(
    database: FreshDatabase, tmp_path: Path
) -> None:
    staging = await Staging.of(database.open("notify"), tmp_path)
    child = Child()
    received = staging.announce(child)
    referral_id = received.referral_id
    shared = staging.shared(referral_id, child)
    await work_through(
        database,
        staging,
        received,
        staging.decided(referral_id, 1, child),
        shared,
        staging.amended(referral_id, 2, child),
        staging.decided(referral_id, 2, child, accepted=False, version=2),
        staging.decided(referral_id, 3, child, version=2),
        staging.withdrawn(referral_id, WithdrawalCause.MISTAKEN_REPORT, version=2),
    )
    open_ = {
        (d["agency_id"], d["series"], d["version"], d["state"])
        for d in await staging.rows(models.deliveries)
        if d["state"] in ("pending", "blocked")
    }
    everybody = (POLICE, LEAD, FBI, CSA, MDT)
    assert open_ == {
        *((each, "received", 2, "pending") for each in everybody),
        (OFFICE, "accepted", 2, "pending"),
        (MDT, shared.share_id, 2, "pending"),
        *((each, "withdrawal", 2, "blocked") for each in (*everybody, OFFICE)),
    }


async def test_p1_a_notice_that_cannot_be_read_holds_up_its_own_referral_alone(
    database: FreshDatabase, tmp_path: Path
) -> None:
    """Its role is a later release's: its referral backs off until that is there again, and the
    others of the batch are planned."""
    staging = await Staging.of(database.open("notify"), tmp_path)
    children = [Child() for _ in range(6)]
    referrals = [await staging.receive(child) for child in children]
    amended = [
        staging.amended(referral, 2, child)
        for referral, child in zip(referrals, children, strict=True)
    ]
    one = next(
        row["notice_id"]
        for row in await staging.rows(models.notices)
        if (row["referral_id"], row["role"]) == (referrals[0], "fbi")
    )
    world = World(database, staging.db)
    await world.planned_as("unheard_of", one)

    async def planned_again() -> set[str]:
        plans = await staging.rows(models.plans)
        return {row["referral_id"] for row in plans if row["version"] == 2}

    async def planned(*expected: str) -> bool:
        return await planned_again() == set(expected)

    async def failed() -> bool:
        streams = {row["subject"]: row for row in await staging.rows(INBOX.streams)}
        assert [row["parked_at"] for row in streams.values()] == [None] * 6
        assert [streams[each]["failures"] for each in referrals[1:]] == [0] * 5
        return bool(streams[referrals[0]]["failures"] > 1)

    await receive(staging, *((data, 1) for data in amended))
    async with working(database, staging):
        await eventually(lambda: planned(*referrals[1:]))
        await eventually(failed)
        assert await planned(*referrals[1:])
        await world.planned_as("fbi", one)
        await eventually(lambda: planned(*referrals))
