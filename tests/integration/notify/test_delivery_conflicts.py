"""A conflict binds every claim that is committed after it, in the claim's own statement (P3)."""

import asyncio
from datetime import timedelta

from services.notify import models
from services.notify.conflicts import store as conflict_store
from services.notify.conflicts.store import Conflict
from services.notify.delivery import claim_store as delivery_store
from services.notify.delivery.claim_store import Claim
from services.notify.delivery.lanes import Slots
from shared.contracts.base import Source
from shared.contracts.disclosures import DisclosuresAttempted, DisclosuresRefused
from shared.contracts.notices import NoticesRefused
from shared.messaging.outbox import Outbox
from shared.runtime.db import Session
from shared.runtime.ids import new_id, utc_now
from tests.support.deliveries import World, eventually
from tests.support.receiver import Receiver

SLOTS = Slots(8, 8)


async def claim(world: World) -> Claim:
    now = utc_now()
    async with world.db.transaction() as session:
        return await delivery_store.claim(
            session,
            Outbox(models.OUTBOX, Source.NOTIFY),
            owner=1,
            slots=SLOTS,
            busy={},
            batch=16,
            now=now,
            deadline=now + timedelta(seconds=10),
        )


async def insert(
    session: Session, world: World, agency_id: str, child_id: str | None = None
) -> None:
    conflict = Conflict(
        new_id("ast"),
        world.referral_id,
        child_id,
        (agency_id,),
        "officer_implicated",
        "person-a",
        utc_now(),
    )
    await conflict_store.insert(session, conflict)


async def test_p3_a_claim_finds_the_conflict_and_ends_the_leg_in_silence(world: World) -> None:
    agency, other = await world.agency("http://127.0.0.1:9"), await world.agency(None)
    await world.change_agency(other, endpoint="http://127.0.0.1:9")
    barred, told = await world.notice(agency), await world.notice(other)
    async with world.db.transaction() as session:
        await insert(session, world, agency)
    claimed = await claim(world)
    assert [each.notice_id for each in claimed.attempts] == [told]
    assert await world.state(barred) == "refused"
    assert await world.facts(barred) == []
    assert [kind for kind, _ in await world.tasks()] == ["conflict"]
    assert await world.events(DisclosuresRefused, NoticesRefused) == []
    (attempted,) = await world.events(DisclosuresAttempted)
    assert [each.notice_id for each in attempted.attempts] == [told]


async def test_p3_what_was_written_before_its_conflict_was_found_leaves_for_nobody(
    world: World, receiver: Receiver
) -> None:
    theirs, agency = await world.agency(receiver.url), await world.agency(receiver.url)
    barred, told = await world.notice(theirs), await world.notice(agency)
    async with world.db.transaction() as session:
        await insert(session, world, theirs)
    async with world.delivering():
        await eventually(lambda: _all_are(world, {"delivered": 1, "refused": 1}))
        await asyncio.sleep(0.1)
    assert receiver.notice_ids == [told]
    assert await world.facts(barred) == []


async def _all_are(world: World, states: dict[str, int]) -> bool:
    return await world.states() == states


async def test_p3_a_conflict_in_one_childs_matter_leaves_the_others_alone(world: World) -> None:
    agency = await world.agency("http://127.0.0.1:9")
    barred, told = await world.notices(agency, 2)
    async with world.db.transaction() as session:
        await insert(session, world, agency, await world.child_of(barred))
    claimed = await claim(world)
    assert [each.notice_id for each in claimed.attempts] == [told]


async def test_a_lifted_conflict_binds_nobody(world: World) -> None:
    agency = await world.agency("http://127.0.0.1:9")
    notice = await world.notice(agency)
    async with world.db.transaction() as session:
        await insert(session, world, agency)
    await world.rows("UPDATE notify.conflicts SET lifted_at = now() RETURNING 1")
    assert [each.notice_id for each in (await claim(world)).attempts] == [notice]


async def test_p3_a_claim_that_waits_for_an_assertion_under_way_is_bound_by_it(
    world: World,
) -> None:
    """The claim has begun before the assertion commits, and commits after it."""
    agency = await world.agency("http://127.0.0.1:9")
    notice = await world.notice(agency)
    async with world.db.transaction() as session:
        await conflict_store.hold_agencies(session, [agency])
        await insert(session, world, agency)
        waiting = asyncio.create_task(claim(world))
        await eventually(lambda: _somebody_waits(world))
        assert not waiting.done()
    assert (await waiting).attempts == ()
    assert await world.state(notice) == "refused"
    assert await world.facts(notice) == []


async def test_p3_an_assertion_waits_for_a_claim_under_way_and_the_record_says_what_left(
    world: World,
) -> None:
    agency = await world.agency("http://127.0.0.1:9")
    notice = await world.notice(agency)
    now = utc_now()
    async with world.db.transaction() as session:
        await delivery_store.claim(
            session,
            Outbox(models.OUTBOX, Source.NOTIFY),
            owner=1,
            slots=SLOTS,
            busy={},
            batch=16,
            now=now,
            deadline=now + timedelta(seconds=10),
        )
        asserting = asyncio.create_task(_assert(world, agency))
        await eventually(lambda: _somebody_waits(world))
        assert not asserting.done()
    await asserting
    assert await world.state(notice) == "attempting"
    assert await world.facts(notice) == [""]


async def test_p3_the_running_role_sends_a_conflicted_agency_nothing(
    world: World, receiver: Receiver
) -> None:
    barred, free = await world.agency(receiver.url), await world.agency(receiver.url)
    async with world.db.transaction() as session:
        await insert(session, world, barred)
    stopped, told = await world.notice(barred), await world.notice(free)
    async with world.delivering():
        await eventually(lambda: _is(world, stopped, "refused"))
        await eventually(lambda: _is(world, told, "delivered"))
    assert receiver.notice_ids == [told]


async def _assert(world: World, agency: str) -> None:
    async with world.db.transaction() as session:
        await conflict_store.hold_agencies(session, [agency])
        await insert(session, world, agency)


async def _is(world: World, notice_id: str, state: str) -> bool:
    return await world.state(notice_id) == state


async def _somebody_waits(world: World) -> bool:
    return bool(await world.rows("SELECT 1 FROM pg_locks WHERE NOT granted"))
