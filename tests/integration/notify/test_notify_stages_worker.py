"""A referral's whole life arrives at once: the worker hands over its events in order, and again
what was prepared too early."""

import asyncio
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
from tests.support.deliveries import eventually
from tests.support.planning import CSA, FBI, LEAD, MDT, POLICE, Child, envelope
from tests.support.stages import OFFICE, Staging


async def work_through(database: FreshDatabase, staging: Staging, *events: EventData) -> None:
    """Everything into the inbox in one batch, then the worker until nothing is left."""
    records = [
        Incoming(
            Topic.REFERRALS.value,
            0,
            offset,
            envelope(data, offset + 1).model_dump_json().encode(),
        )
        for offset, data in enumerate(events)
    ]
    async with staging.db.transaction() as session:
        await Inbox(INBOX).receive(
            session, Batch(records, {(Topic.REFERRALS.value, 0): len(records)})
        )
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
    working = asyncio.ensure_future(Worker("notify", staging.db, dsn, INBOX, handlers).run(stop))

    async def through() -> bool:
        (stream,) = await staging.rows(INBOX.streams)
        assert stream["parked_at"] is None
        return bool(stream["cursor"] == len(events))

    try:
        await eventually(through, within=20)
    finally:
        stop.set()
        staging.db.wakes.wake_here("work")
        await working


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
