"""What an agency's record asks for: so many at a time, so many a minute, whoever sends."""

import asyncio
import time
from datetime import timedelta

from services.notify.planning.history_store import ages
from shared.runtime.ids import utc_now
from tests.support.deliveries import World, eventually
from tests.support.receiver import Receiver, answer


async def test_no_more_are_under_way_than_the_record_allows_over_all_processes(
    world: World, receiver: Receiver
) -> None:
    receiver.behaviour = receiver.hang
    await world.notices(await world.agency(receiver.url, max_in_flight=3), 12)
    async with world.delivering(), world.delivering(), world.delivering():
        await eventually(lambda: _open(receiver, 3))
        await asyncio.sleep(0.2)
        assert await world.states() == {"attempting": 3, "pending": 9}
        receiver.behaviour = answer(200)
        receiver.released.set()
        await eventually(lambda: _states(world, {"delivered": 12}))
    assert receiver.most_open == 3


async def test_a_free_place_is_taken_without_waiting_for_a_poll(
    world: World, receiver: Receiver
) -> None:
    await world.notices(await world.agency(receiver.url, max_in_flight=1), 30)
    started = time.monotonic()
    async with world.delivering():
        await eventually(lambda: _states(world, {"delivered": 30}))
    assert time.monotonic() - started < 5
    assert receiver.most_open == 1


async def test_no_more_leave_in_a_minute_than_the_record_allows_and_the_rest_is_not_lost(
    world: World, receiver: Receiver
) -> None:
    """P1, P9: two processes, one count. What waits is pending, and its age is seen."""
    agency = await world.agency(receiver.url, max_per_minute=5)
    notices = await world.notices(agency, 9, planned_at=utc_now() - timedelta(hours=1))
    async with world.delivering(), world.delivering():
        await eventually(lambda: _states(world, {"delivered": 5, "pending": 4}))
        await asyncio.sleep(1.2)
        assert await world.states() == {"delivered": 5, "pending": 4}
        async with world.db.transaction() as session:
            assert (await ages(session))["delivery"] > 3599
        await _a_minute_passes(world)
        await eventually(lambda: _states(world, {"delivered": 9}))
    assert sorted(receiver.notice_ids) == sorted(notices)


async def test_a_limited_agency_delays_nobody_and_one_without_a_limit_has_no_pace(
    world: World, receiver: Receiver
) -> None:
    await world.notices(await world.agency(receiver.url, max_per_minute=1), 200)
    free = await world.notices(await world.agency(receiver.url), 100)
    async with world.delivering():
        await eventually(lambda: _states(world, {"delivered": 101, "pending": 199}))
    assert set(free) <= set(receiver.notice_ids)
    assert len(await world.rows("SELECT FROM notify.paces")) == 1


async def test_first_tries_leave_though_older_retries_wait_for_the_same_places(
    world: World, receiver: Receiver
) -> None:
    agency = await world.agency(receiver.url, max_in_flight=1, max_per_minute=3)
    retries = await world.notices(agency, 20, attempts=3)
    fresh = await world.notices(agency, 5)
    async with world.delivering():
        await eventually(lambda: _states(world, {"delivered": 3, "pending": 22}))
    assert receiver.notice_ids[:2] == fresh[:2]
    assert receiver.notice_ids[2] in retries


async def test_p8_a_limit_neither_drops_nor_reorders_versions(
    world: World, receiver: Receiver
) -> None:
    """The later version waits blocked until the first one's attempt is over, then for its turn."""
    agency = await world.agency(receiver.url, max_in_flight=1, max_per_minute=1)
    first = await world.notice(agency)
    child = await world.child_of(first)
    async with world.delivering():
        await eventually(lambda: _is(world, first, "delivered"))
        second = await world.notice(agency, child_id=child, version=2, kind="correction")
        await asyncio.sleep(1.1)
        assert await world.state(second) == "pending"
        await _a_minute_passes(world)
        await eventually(lambda: _is(world, second, "delivered"))
    assert receiver.notice_ids == [first, second]


async def test_p3_what_may_not_be_sent_is_refused_and_takes_no_place(
    world: World, receiver: Receiver
) -> None:
    agency = await world.agency(receiver.url, max_per_minute=1, authority=None)
    await world.notices(agency, 3)
    async with world.delivering():
        await eventually(lambda: _states(world, {"refused": 3}))
    assert receiver.connections == 0
    assert await world.rows("SELECT FROM notify.paces") == []


async def _a_minute_passes(world: World) -> None:
    await world.rows(
        "UPDATE notify.paces SET departures = (SELECT array_agg(t - CAST('1 minute' AS interval)) "
        "FROM unnest(departures) AS t) RETURNING 1"
    )


async def _open(receiver: Receiver, count: int) -> bool:
    return receiver.open_requests >= count


async def _is(world: World, notice: str, state: str) -> bool:
    return await world.state(notice) == state


async def _states(world: World, expected: dict[str, int]) -> bool:
    return await world.states() == expected
