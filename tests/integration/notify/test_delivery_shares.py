"""What a claim takes of a backlog, and what one claim of several fates tells (P3)."""

import asyncio
import time
from collections import Counter
from datetime import date, datetime, timedelta

import pytest

from services.notify.conflicts import store as conflict_store
from services.notify.conflicts.store import Conflict
from services.notify.delivery.claim_store import Claim, claim
from services.notify.delivery.deliver import DEFAULT_LIMITS
from services.notify.delivery.lanes import Slots
from services.notify.models import OUTBOX
from shared.contracts.base import Source
from shared.contracts.disclosures import DisclosuresAttempted, DisclosuresRefused
from shared.contracts.notices import NoticesRefused
from shared.messaging.outbox import Outbox
from shared.runtime.ids import new_id, utc_now
from tests.support.deliveries import World, eventually

NOWHERE = "https://127.0.0.1:9"
_SEVEN, _EIGHT, _NINE = (utc_now() - timedelta(minutes=n) for n in (7, 8, 9))


async def claimed(world: World, batch: int = DEFAULT_LIMITS.batch) -> Claim:
    """By a process of which every place is free."""
    now = utc_now()
    async with world.db.transaction(planned_once=True) as session:
        return await claim(
            session,
            Outbox(OUTBOX, Source.NOTIFY),
            owner=1,
            slots=Slots(64, 64),
            busy={},
            batch=batch,
            now=now,
            deadline=now + timedelta(seconds=10),
        )


async def others(world: World, count: int, wait: timedelta = timedelta(0)) -> None:
    """So many agencies, each with one notice that is due after `wait`."""
    for _ in range(count):
        agency = await world.agency(NOWHERE)
        await world.notices(agency, 1, next_attempt_at=utc_now() + wait)


async def bar(world: World, agency: str) -> None:
    async with world.db.transaction() as session:
        asserted = Conflict(
            new_id("ast"), world.referral_id, None, (agency,), "officer_implicated", "p", utc_now()
        )
        await conflict_store.insert(session, asserted)


async def test_of_a_batch_each_agency_has_its_share_and_what_is_left_follows_at_once(
    world: World,
) -> None:
    backlogs = [await world.agency(NOWHERE), await world.agency(NOWHERE)]
    for agency in backlogs:
        await world.notices(agency, 10)
    sizes = []
    while (each := await claimed(world, batch=8)).attempts:
        sizes.append(Counter(attempt.agency_id for attempt in each.attempts))
        if not each.more:
            break
    assert sizes[:2] == [dict.fromkeys(backlogs, 4)] * 2
    assert sum(sizes, Counter()) == dict.fromkeys(backlogs, 10)


async def test_what_was_planned_together_leaves_referral_by_referral(world: World) -> None:
    """So that their outcomes are recorded together, and told as one."""
    agencies = [await world.agency(NOWHERE) for _ in range(3)]
    referrals = [new_id("ref") for _ in range(6)]
    planned = utc_now()
    for agency in agencies:
        for referral in referrals:
            await world.notice(agency, referral_id=referral, next_attempt_at=planned)
    in_turn = [attempt.referral_id for attempt in (await claimed(world)).attempts]
    assert in_turn == [referral for referral in sorted(referrals) for _ in agencies]


async def test_whoever_has_nothing_due_has_no_share(world: World) -> None:
    await world.notices(await world.agency(NOWHERE), 64)
    await others(world, 30, timedelta(minutes=14))
    assert len((await claimed(world)).attempts) == 64


@pytest.mark.parametrize("count", [0, 40])
async def test_retries_keep_no_first_try_waiting(world: World, count: int) -> None:
    agency = await world.agency(NOWHERE)
    past = utc_now() - timedelta(seconds=5)
    await world.notices(agency, 60, attempts=1, next_attempt_at=past)
    (new,) = await world.notices(agency, 1)
    await others(world, count)
    assert new in {each.notice_id for each in (await claimed(world)).attempts}


@pytest.mark.parametrize("count", [0, 40])
async def test_a_limit_is_shared_by_both_lanes_whoever_else_waits(world: World, count: int) -> None:
    agency = await world.agency(NOWHERE, max_per_minute=10)
    past = utc_now() - timedelta(seconds=5)
    await world.notices(agency, 60, attempts=1, next_attempt_at=past)
    new = set(await world.notices(agency, 20))
    await others(world, count)
    taken = [each for each in (await claimed(world)).attempts if each.agency_id == agency]
    assert len(taken) == 10
    assert sum(each.notice_id in new for each in taken) == 7


async def test_p3_what_is_refused_barred_and_attempted_by_one_claim_is_told_once(
    world: World,
) -> None:
    good, barred = await world.agency(NOWHERE), await world.agency(NOWHERE)
    lapsed = await world.agency(NOWHERE, authority_to=date(2020, 1, 1))
    notice = await world.notice(good)
    await world.notice(lapsed)
    await world.notice(barred)
    await bar(world, barred)
    assert [each.notice_id for each in (await claimed(world)).attempts] == [notice]
    for kind in (DisclosuresAttempted, DisclosuresRefused, NoticesRefused):
        assert len(await world.events(kind)) == 1


async def test_p3_a_refusal_is_told_where_all_the_others_are_barred(world: World) -> None:
    barred = await world.agency(NOWHERE)
    await world.notice(await world.agency(NOWHERE, authority_to=date(2020, 1, 1)))
    await world.notice(barred)
    await bar(world, barred)
    assert (await claimed(world)).attempts == ()
    for kind in (DisclosuresRefused, NoticesRefused):
        assert len(await world.events(kind)) == 1


async def test_claims_of_an_agency_that_is_to_be_probed_wait_for_one_another(world: World) -> None:
    for _ in range(10):
        await world.notices(await world.agency(NOWHERE, consecutive_failures=7), 3)
        found = await asyncio.gather(*(claimed(world) for _ in range(4)))
        assert sum(len(each.attempts) for each in found) <= 1


async def test_first_tries_leave_before_retries_and_each_lane_in_the_order_in_which_it_waits(
    world: World,
) -> None:
    """Whomever it is to, and in whatever order they were planned."""
    since = await backlog(world, agencies=4)
    leaving = [(each.retry, since[each.notice_id]) for each in (await claimed(world)).attempts]
    assert len(leaving) == 24
    assert leaving == sorted(leaving)


async def test_of_a_limited_agency_those_leave_that_have_waited_longest(world: World) -> None:
    """P8: a withdrawal is overtaken by nothing that came after it."""
    since = await backlog(world, agencies=6, max_in_flight=3)
    left = {each.notice_id: each.retry for each in (await claimed(world)).attempts}
    assert Counter(left.values()) == {False: 12, True: 6}
    assert {since[id_] for id_, retry in left.items() if not retry} == {_NINE, _EIGHT}
    assert {since[id_] for id_, retry in left.items() if retry} == {_NINE}


async def backlog(world: World, agencies: int, **limits: int) -> dict[str, datetime]:
    """Of each agency three first tries and three retries; since when each is due."""
    since: dict[str, datetime] = {}
    for _ in range(agencies):
        agency = await world.agency(NOWHERE, **limits)
        for attempts in (0, 1):
            for due in (_EIGHT, _NINE, _SEVEN):
                changes = {"attempts": attempts, "next_attempt_at": due}
                since[await world.notice(agency, **changes)] = due
    return since


async def test_a_backlog_that_is_refused_ends_without_waiting_for_polls(world: World) -> None:
    for _ in range(3):
        await world.notices(await world.agency(NOWHERE, authority=None), 320)
    started = time.monotonic()
    async with world.delivering():
        await eventually(lambda: _refused(world, 960), 20)
    took = time.monotonic() - started
    assert took < 2.5


@pytest.mark.parametrize("batch", [128, 512])
async def test_a_full_lane_says_that_there_may_be_more(world: World, batch: int) -> None:
    for _ in range(3):
        await world.notices(await world.agency(NOWHERE, authority=None), 100)
    assert (await claimed(world, batch=batch)).more


async def _refused(world: World, count: int) -> bool:
    return (await world.states()).get("refused") == count
