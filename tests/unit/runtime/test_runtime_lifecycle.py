import asyncio
import os
import signal

import pytest
from prometheus_client import REGISTRY

from shared.runtime import lifecycle
from shared.runtime.lifecycle import run_roles, sleep_unless


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "_RESTART_SECONDS", (0.001,))
    monkeypatch.setattr(lifecycle, "_DRAIN_SECONDS", 0.05)
    monkeypatch.setattr(lifecycle, "_CANCEL_SECONDS", 0.05)


def restarts(role: str) -> float:
    return REGISTRY.get_sample_value("hartline_role_restarts_total", {"role": role}) or 0


async def test_sigterm_lets_every_role_finish_its_unit_of_work() -> None:
    finished = []

    async def role(stop: asyncio.Event) -> None:
        await stop.wait()
        await asyncio.sleep(0.01)
        finished.append(1)

    async with asyncio.timeout(5):
        running = asyncio.create_task(run_roles({"one": role, "two": role}))
        await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)
        await running
    assert finished == [1, 1]


@pytest.mark.parametrize("error", [RuntimeError("x"), asyncio.CancelledError(), None])
async def test_a_role_that_ends_unasked_in_any_way_is_started_again(
    error: BaseException | None,
) -> None:
    """A client library may raise CancelledError of its own: that ends a role, not its
    supervision."""
    stop = asyncio.Event()
    starts = 0

    async def role(_: asyncio.Event) -> None:
        nonlocal starts
        starts += 1
        if starts == 3:
            stop.set()
        if error is not None:
            raise error

    before = restarts(f"flaky-{error!r}")
    async with asyncio.timeout(5):
        await run_roles({f"flaky-{error!r}": role}, stop=stop)
    assert starts == 3
    assert restarts(f"flaky-{error!r}") == before + 2


async def test_a_role_that_does_not_drain_is_cancelled_and_then_left() -> None:
    stop, cancelled = asyncio.Event(), []

    async def stubborn(_: asyncio.Event) -> None:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            cancelled.append(1)
            raise

    async with asyncio.timeout(1):
        stop.set()
        running = asyncio.create_task(run_roles({"stubborn": stubborn}, stop=stop))
        await running
    assert cancelled == []

    stop = asyncio.Event()
    async with asyncio.timeout(1):
        running = asyncio.create_task(run_roles({"stubborn": stubborn}, stop=stop))
        await asyncio.sleep(0.01)
        stop.set()
        await running
    assert cancelled == [1]


async def test_a_loop_that_is_held_up_shows_in_the_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "_LAG_EVERY", 0.005)
    stop = asyncio.Event()

    async def hog(_: asyncio.Event) -> None:
        await asyncio.sleep(0.001)
        until = asyncio.get_running_loop().time() + 0.05
        while asyncio.get_running_loop().time() < until:
            pass
        await asyncio.sleep(0.01)
        stop.set()

    await run_roles({"hog": hog}, stop=stop)
    assert (REGISTRY.get_sample_value("hartline_loop_lag_seconds") or 0) > 0.02


async def test_sleep_ends_early_when_asked_to_stop() -> None:
    stop = asyncio.Event()
    stop.set()
    async with asyncio.timeout(1):
        await sleep_unless(stop, 60)
    await sleep_unless(asyncio.Event(), 0.001)
