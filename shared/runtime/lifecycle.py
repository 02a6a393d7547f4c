"""One process: its roles as supervised tasks, and an orderly end on SIGTERM."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping

import structlog

log = structlog.get_logger()

Role = Callable[[asyncio.Event], Awaitable[None]]
"""A role runs until the event it is handed is set, then finishes its unit of work and returns."""

_RESTART_SECONDS = (0.2, 1.0, 5.0)
_DRAIN_SECONDS = 10.0


async def run_roles(roles: Mapping[str, Role], *, stop: asyncio.Event | None = None) -> None:
    """Run every role until SIGTERM or SIGINT, restarting one that fails; drain at the end.

    A role that ends while nobody asked it to is restarted: after 0.2 s, 1 s, then every 5 s.
    """
    stop = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    tasks = [
        asyncio.create_task(_supervise(name, role, stop), name=name) for name, role in roles.items()
    ]
    await stop.wait()
    _, late = await asyncio.wait(tasks, timeout=_DRAIN_SECONDS)
    for task in late:
        log.warning("role_not_drained", role=task.get_name())
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)


async def _supervise(name: str, role: Role, stop: asyncio.Event) -> None:
    failures = 0
    while not stop.is_set():
        started = asyncio.get_running_loop().time()
        try:
            await role(stop)
        except Exception as error:
            log.error("role_failed", role=name, error=type(error).__name__)
        if stop.is_set():
            return
        if asyncio.get_running_loop().time() - started > 60:
            failures = 0
        await sleep_unless(stop, _RESTART_SECONDS[min(failures, len(_RESTART_SECONDS) - 1)])
        failures += 1


async def sleep_unless(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, or return at once when asked to stop."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
