"""The role `page`: pages people, and beside that whatever must happen now and then."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

from shared.runtime.lifecycle import Role, sleep_unless
from shared.runtime.logging import where

log = structlog.get_logger()

Chore = Callable[[], Awaitable[object]]
"""One step of its work; called again after its pause, whatever became of the last."""


def page_role(chores: Mapping[str, tuple[float, Chore]]) -> Role:
    """Each chore, by name, with the seconds between two of its steps. None waits for another."""

    async def page(stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            for name, (seconds, chore) in chores.items():
                group.create_task(_forever(name, seconds, chore, stop), name=name)

    return page


async def _forever(name: str, seconds: float, chore: Chore, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await chore()
        except Exception as error:
            log.warning("chore_failed", chore=name, error=error, where=where(error))
        await sleep_unless(stop, seconds)
