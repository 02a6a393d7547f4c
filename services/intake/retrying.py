"""Being sure of a commit: an attempt that can be made again without doing its work twice."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from shared.runtime.db import unavailable

log = structlog.get_logger()

T = TypeVar("T")

_PAUSES = (0.05, 0.3)
_DEADLINE = 8.0


async def until_known(attempt: Callable[[], Awaitable[T]]) -> T:
    """Attempt, and again when the database was lost on the way: was it committed or not?

    `attempt` must find out itself what an earlier one has committed. Raises what the last attempt
    raised, at the latest after 8 seconds, when a caller on the line is better told to try again.
    """
    async with asyncio.timeout(_DEADLINE):
        for pause in _PAUSES:
            try:
                return await attempt()
            except Exception as error:
                if not unavailable(error):
                    raise
                log.warning("database_lost", error=type(error).__name__)
            await asyncio.sleep(pause)
        return await attempt()
