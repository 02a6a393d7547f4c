"""The sweeper's turns: how often it looks, and what it goes on with meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable

from services.intake.sweeper import Sweeper


def chore(done: list[str], name: str, batches: int = 0) -> Callable[[], Awaitable[bool]]:
    """One that has work for so many batches more."""
    left = batches

    async def work() -> bool:
        nonlocal left
        done.append(name)
        left -= 1
        return left > 0

    return work


async def swept(seconds: float, done: list[str], **batches: int) -> list[str]:
    stop = asyncio.Event()
    chores = {name: chore(done, name, count) for name, count in batches.items()}
    sweeping = asyncio.create_task(Sweeper(chores).run(stop))
    await asyncio.sleep(seconds)
    stop.set()
    await sweeping
    return done


async def test_a_backlog_is_worked_off_without_looking_at_the_others_each_time() -> None:
    assert await swept(0.3, [], calls=0, index=4) == ["calls", *["index"] * 4]


async def test_a_backlog_without_end_keeps_the_others_from_no_turn() -> None:
    done = await swept(1.3, [], index=1_000_000, calls=0)
    assert done.count("calls") == 2
    assert done.count("index") > 10


async def test_what_has_nothing_to_do_is_looked_at_once_a_second() -> None:
    assert await swept(1.3, [], calls=0, index=0) == ["calls", "index"] * 2
