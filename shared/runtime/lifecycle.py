"""One process: its roles as supervised tasks, and an orderly end on SIGTERM."""

import asyncio
import gc
import signal
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar

import structlog
import uvloop

from shared.runtime import metrics, tracing
from shared.runtime.errors import PortTaken
from shared.runtime.logging import where

log = structlog.get_logger()

T = TypeVar("T")

Role = Callable[[asyncio.Event], Awaitable[None]]
"""A role runs until the event it is handed is set, then finishes its unit of work and returns."""

_RESTART_SECONDS = (0.2, 1.0, 5.0)
_DRAIN_SECONDS = 10.0
_CANCEL_SECONDS = 2.0
_LAG_EVERY = 0.25
_LAG_WINDOW = 40


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a process's main coroutine, on uvloop."""
    return uvloop.run(main)


def settle() -> None:
    """Call it once everything is put together, before the work begins.

    What exists by then lives as long as the process; walking it, the collector would hold up
    whoever is being answered by 50 to 100 ms. What a request leaves behind is seldom circular, so
    the young are looked at less often, and the old more often than that would make it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 5, 5)


async def run_roles(roles: Mapping[str, Role], *, stop: asyncio.Event | None = None) -> None:
    """Run every role until SIGTERM or SIGINT, restarting one that ends; drain at the end.

    A role that ends while nobody asked it to is restarted: after 0.2 s, 1 s, then every 5 s.
    PortTaken of one of them ends all in the same way, and is raised.
    """
    stop = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    tasks = [
        asyncio.create_task(_supervise(name, role, stop), name=name) for name, role in roles.items()
    ]
    watch = asyncio.create_task(_watch_lag(), name="lag")
    await stop.wait()
    _, late = await asyncio.wait(tasks, timeout=_DRAIN_SECONDS)
    for task in late:
        log.warning("role_not_drained", role=task.get_name())
    for task in (watch, *late):
        task.cancel()
    await asyncio.wait((watch, *late), timeout=_CANCEL_SECONDS)
    tracing.close()
    for task in tasks:
        if task.done() and not task.cancelled() and isinstance(task.exception(), PortTaken):
            task.result()


async def _supervise(name: str, role: Role, stop: asyncio.Event) -> None:
    failures = 0
    while not stop.is_set():
        started = asyncio.get_running_loop().time()
        try:
            await _once(name, role, stop)
        except PortTaken:
            stop.set()
            raise
        if stop.is_set():
            return
        metrics.ROLE_RESTARTS.labels(name).inc()
        if asyncio.get_running_loop().time() - started > 60:
            failures = 0
        await sleep_unless(stop, _RESTART_SECONDS[min(failures, len(_RESTART_SECONDS) - 1)])
        failures += 1


async def _once(name: str, role: Role, stop: asyncio.Event) -> None:
    """Run a role until it ends in whatever way. A CancelledError that nobody asked for (a client
    library's own) is one of its failures; one that was asked for ends the supervision, and so
    does PortTaken."""
    task = asyncio.current_task()
    try:
        await role(stop)
    except asyncio.CancelledError as error:
        if task is not None and task.cancelling():
            raise
        log.error("role_failed", role=name, error=error, where=where(error))
    except PortTaken:
        raise
    except Exception as error:
        log.error("role_failed", role=name, error=error, where=where(error))


async def _watch_lag() -> None:
    """Measure how late the loop wakes; keep the worst of the last ten seconds."""
    loop = asyncio.get_running_loop()
    seen: deque[float] = deque(maxlen=_LAG_WINDOW)
    while True:
        due = loop.time() + _LAG_EVERY
        await asyncio.sleep(_LAG_EVERY)
        seen.append(max(0.0, loop.time() - due))
        metrics.LOOP_LAG.set(max(seen))


async def sleep_unless(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, or return at once when asked to stop."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
