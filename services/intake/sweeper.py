"""The role sweep: what has waited long enough, whoever else sweeps beside us."""

import asyncio
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


@dataclass(frozen=True, slots=True)
class Patience:
    """How long what is swept may wait before somebody is told."""

    call: timedelta = timedelta(minutes=15)
    """An open call that nobody saves."""
    case: timedelta = timedelta(hours=24)
    """A flagged case without its DCF-737."""


class Sweeper:
    """Does each chore until it has nothing left, then rests. One that fails holds up no other."""

    def __init__(self, chores: Mapping[str, Chore]) -> None:
        self._chores = chores

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            more = await self.sweep_once()
            if not more:
                await sleep_unless(stop, _POLL_SECONDS)

    async def sweep_once(self) -> bool:
        """A batch of each chore; True if any may have more."""
        return any([await _do(name, chore) for name, chore in self._chores.items()])


async def _do(name: str, chore: Chore) -> bool:
    try:
        return await chore()
    except Exception as error:
        if unavailable(error):
            raise
        log.error("chore_failed", chore=name, error=error, where=where(error))
        return False
