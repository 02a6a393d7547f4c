"""The role sweep: what has waited long enough, whoever else sweeps beside us."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import structlog

from shared.runtime.db import unavailable
from shared.runtime.lifecycle import sleep_unless
from shared.runtime.logging import where

log = structlog.get_logger()

Chore = Callable[[], Awaitable[bool]]
"""One batch of work in transactions of its own; True if there may be more."""

_POLL_SECONDS = 1.0
_REST = 4.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long what is swept may wait before somebody is told."""

    call: timedelta = timedelta(minutes=15)
    """An open call that nobody saves."""
    case: timedelta = timedelta(hours=24)
    """A flagged case without its DCF-737."""


class Sweeper:
    """Looks once a second at every chore, and goes on meanwhile with those that have more. One that
    fails holds up no other.

    Callers on the line are answered by the same process: after each batch it rests four times as
    long as that took, so that a backlog takes a fifth of it at most.
    """

    def __init__(self, chores: Mapping[str, Chore]) -> None:
        self._chores = chores

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            until = time.monotonic() + _POLL_SECONDS
            left = await self._sweep(self._chores, stop)
            while left and time.monotonic() < until and not stop.is_set():
                left = await self._sweep(left, stop)
            if not left:
                await sleep_unless(stop, max(0.0, until - time.monotonic()))

    async def sweep_once(self) -> bool:
        """A batch of each chore; True if any may have more."""
        return any([await _do(name, chore) for name, chore in self._chores.items()])

    async def _sweep(self, chores: Mapping[str, Chore], stop: asyncio.Event) -> Mapping[str, Chore]:
        """A batch of each; those that may have more."""
        left: dict[str, Chore] = {}
        for name, chore in chores.items():
            began = time.monotonic()
            if await _do(name, chore):
                left[name] = chore
            await sleep_unless(stop, _REST * (time.monotonic() - began))
        return left


async def _do(name: str, chore: Chore) -> bool:
    try:
        return await chore()
    except Exception as error:
        if unavailable(error):
            raise
        log.error("chore_failed", chore=name, error=error, where=where(error))
        return False
