"""Wake-ups within a process: at once, or once for all that can wait a little."""

import asyncio

from shared.runtime.wakes import Wakes


async def test_what_can_wait_a_little_is_woken_for_once() -> None:
    wakes, told = Wakes(), list[str]()
    wakes.on_wake(told.append)
    for _ in range(5):
        wakes.wake_within("relay", 0.01)
    assert told == []
    assert await wakes.wait("relay", 1.0)
    assert told == ["relay"]
    assert not await wakes.wait("relay", 0.03)


async def test_a_wake_at_once_does_for_what_could_have_waited() -> None:
    wakes, told = Wakes(), list[str]()
    wakes.on_wake(told.append)
    wakes.wake_within("relay", 0.01)
    wakes.wake("relay")
    assert await wakes.wait("relay", 0.0)
    await asyncio.sleep(0.03)
    assert told == ["relay"]
    wakes.wake_within("relay", 0.01)
    assert await wakes.wait("relay", 1.0)
