"""Wake-ups between processes, here between two Signals on one real server."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from shared.runtime.pgnotify import Signals, share_wakes
from shared.runtime.wakes import Wakes
from tests.support.databases import FreshDatabase


@pytest.fixture
def dsn(database: FreshDatabase) -> str:
    return database.dsns["notify"].app


@pytest.fixture
async def here(dsn: str) -> AsyncIterator[Signals]:
    signals = Signals(dsn, "test here")
    yield signals
    await signals.close()


@pytest.fixture
async def there(dsn: str) -> AsyncIterator[Signals]:
    signals = Signals(dsn, "test there")
    yield signals
    await signals.close()


@pytest.fixture
async def superuser(database: FreshDatabase) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(database.superuser_dsn)
    yield connection
    await connection.close()


async def listening(signals: Signals, channel: str) -> asyncio.Event:
    """An event set by the channel, once the server is known to be listened to."""
    woken = asyncio.Event()
    signals.listen(channel, woken.set)
    signals.start()
    async with asyncio.timeout(10):
        await woken.wait()
    woken.clear()
    return woken


async def test_a_listener_in_this_process_is_woken_at_once_without_a_server() -> None:
    signals = Signals("postgresql://nobody@127.0.0.1:1/nowhere", "test")
    woken = asyncio.Event()
    stop = signals.listen("notify.deliver", woken.set)
    signals.notify("notify.deliver")
    assert woken.is_set()
    woken.clear()
    stop()
    signals.notify("notify.deliver")
    assert not woken.is_set()


async def test_another_process_is_woken_and_only_on_its_channel(
    here: Signals, there: Signals
) -> None:
    deliver = await listening(there, "notify.deliver")
    relay = await listening(there, "notify.relay")
    here.start()
    here.notify("notify.deliver")
    async with asyncio.timeout(5):
        await deliver.wait()
    assert not relay.is_set()


async def test_the_first_goes_at_once_and_later_ones_together_ten_milliseconds_after(
    here: Signals, there: Signals
) -> None:
    woken = await listening(there, "notify.deliver")
    await listening(here, "notify.other")
    heard: list[float] = []
    there.listen("notify.deliver", lambda: heard.append(time.monotonic()))
    here.notify("notify.deliver")
    async with asyncio.timeout(5):
        await woken.wait()
    for _ in range(1000):
        here.notify("notify.deliver")
    async with asyncio.timeout(5):
        while len(heard) < 2:
            await asyncio.sleep(0.001)
    await asyncio.sleep(0.05)
    assert len(heard) == 2
    assert heard[1] - heard[0] >= 0.009


async def test_our_own_notification_does_not_come_back_to_us(here: Signals, there: Signals) -> None:
    ours = await listening(here, "notify.deliver")
    theirs = await listening(there, "notify.deliver")
    here.notify("notify.deliver")
    ours.clear()
    async with asyncio.timeout(5):
        await theirs.wait()
    assert not ours.is_set()


async def test_after_a_lost_connection_every_listener_is_woken_for_it_may_have_missed_one(
    here: Signals, superuser: Any
) -> None:
    woken = await listening(here, "notify.deliver")
    await superuser.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1",
        "test here",
    )
    async with asyncio.timeout(5):
        await woken.wait()


async def test_the_loops_of_another_process_are_woken_by_name(
    here: Signals, there: Signals
) -> None:
    ours, theirs = Wakes(), Wakes()
    share_wakes(ours, here, "notify", ("deliver", "relay"))
    share_wakes(theirs, there, "notify", ("deliver", "relay"))
    here.start()
    there.start()
    assert await theirs.wait("deliver", 5.0), "woken when it begins to listen"
    assert await theirs.wait("relay", 5.0)
    ours.wake("deliver")
    assert await theirs.wait("deliver", 5.0)
    ours.wake("sweep")
    assert not await theirs.wait("relay", 0.02)


async def test_a_process_that_runs_every_role_tells_only_while_another_leads(
    here: Signals, there: Signals
) -> None:
    """As in an upgrade, when two of them run side by side."""
    ours, theirs = Wakes(), Wakes()
    share_wakes(ours, here, "notify", ("work",), led=("relay",), whole=True)
    share_wakes(theirs, there, "notify", ("work",), led=("relay",), whole=True)
    here.start()
    there.start()
    assert await theirs.wait("relay", 5.0), "woken when it begins to listen"
    assert await theirs.wait("work", 5.0)
    ours.wake("relay")
    assert await theirs.wait("relay", 5.0)
    ours.wake("work")
    assert not await theirs.wait("work", 0.05)
    ours.leads = True
    ours.wake("relay")
    assert not await theirs.wait("relay", 0.05)


async def test_a_process_that_leaves_tells_of_everything_that_it_makes_ready(
    here: Signals, there: Signals
) -> None:
    ours, theirs = Wakes(), Wakes()
    share_wakes(ours, here, "notify", ("work",), whole=True)
    share_wakes(theirs, there, "notify", ("work",), whole=True)
    here.start()
    there.start()
    assert await theirs.wait("work", 5.0), "woken when it begins to listen"
    ours.leaving = True
    ours.wake("work")
    assert await theirs.wait("work", 5.0)


async def test_what_was_to_be_told_is_told_before_the_end(here: Signals, there: Signals) -> None:
    woken = await listening(there, "notify.relay")
    await listening(here, "notify.relay")
    here.notify("notify.relay")
    await here.close()
    async with asyncio.timeout(0.5):
        await woken.wait()
