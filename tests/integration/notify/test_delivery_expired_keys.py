"""An agency's key that has ended by its own `exp` (ADR 0041)."""

import time
from typing import Any

from tests.support.deliveries import KEY, World, decrypt, eventually
from tests.support.receiver import Receiver

PUBLIC: dict[str, Any] = dict(KEY.as_dict(private=False))


async def test_p5_nothing_is_encrypted_to_an_expired_key_and_a_person_is_told_at_once(
    world: World, receiver: Receiver
) -> None:
    """P1: it waits, and goes by itself once the agency has a new key."""
    ended = {**PUBLIC, "exp": int(time.time()) - 1}
    agency = await world.agency(receiver.url, encryption_key=ended)
    notice = await world.notice(agency)
    async with world.delivering():
        await eventually(lambda: _has_tasks(world))
        assert await world.tasks() == [("cannot_send", notice)]
        assert set(await world.facts(notice)) <= {"failed", ""}, "not one byte left"
        assert receiver.connections == 0
        await world.change_agency(agency, encryption_key=PUBLIC)
        await world.make_due(notice)
        await eventually(lambda: _delivered(world, notice))
    assert decrypt(receiver.requests[0].body)
    rows = await world.rows("SELECT consecutive_failures AS n FROM notify.agencies")
    assert rows[0].n == 0, "the agency's server did nothing wrong"


async def test_a_key_that_ends_later_is_used_until_then(world: World, receiver: Receiver) -> None:
    lasting = {**PUBLIC, "exp": int(time.time()) + 3600}
    notice = await world.notice(await world.agency(receiver.url, encryption_key=lasting))
    async with world.delivering():
        await eventually(lambda: _delivered(world, notice))
    assert await world.tasks() == []


async def _has_tasks(world: World) -> bool:
    return bool(await world.tasks())


async def _delivered(world: World, notice: str) -> bool:
    return await world.state(notice) == "delivered"
