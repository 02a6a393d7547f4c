"""Calls into aiokafka, bounded and contained.

Its `commit()` and `stop()` can hang, and can raise the CancelledError of one of its own background
tasks into the caller, who then believes to be cancelled. So every call runs in a task of its own.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from shared.messaging.bus import BusUnavailable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds, in seconds."""

    request: float = 10.0
    """One request to a broker; a join of the group, which waits for others, is one request."""
    publish: float = 10.0
    """A whole batch, with connecting. Records expire in aiokafka after half of it."""
    commit: float = 5.0
    stop: float = 5.0
    """After this, the end of a client goes on in the background, by force."""
    quiet: float = 5.0
    """Hearing nothing for this long, a subscription asks whether anybody is there."""
    probe: float = 5.0
    join: float = 45.0
    """Being without a place in the group for this long is being stuck."""
    blocked: float = 60.0
    """A partition whose broker cannot read it is tried again after this."""
    heartbeat: float = 0.5
    """How often a member tells its group that it lives, and hears that another came or left: for so
    long a partition that changes hands stands still."""
    session: float = 6.0
    """The group gives a dead member's partitions to others after this."""


async def bounded(call: Coroutine[Any, Any, T], seconds: float) -> T:
    """The call's result. Raises BusUnavailable for any error, a timeout, or a CancelledError
    that is aiokafka's own; our own cancellation goes through to both sides."""
    task = asyncio.ensure_future(call)
    try:
        await asyncio.wait((task,), timeout=seconds)
    finally:
        if not task.done():
            task.cancel()
            task.add_done_callback(forget)
    if not task.done():
        raise BusUnavailable("timeout")
    if task.cancelled():
        raise BusUnavailable("cancelled")
    if (error := task.exception()) is not None:
        if isinstance(error, BusUnavailable):
            raise error
        raise BusUnavailable(type(error).__name__) from error
    return task.result()


def forget(task: "asyncio.Future[Any]") -> None:
    """Look at the outcome, so that asyncio does not report it as unheard of."""
    if not task.cancelled():
        task.exception()
