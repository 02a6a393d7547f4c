"""The role `page`: pages people, and beside that whatever must happen now and then."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

from services.notify.oncall.heartbeat import Pulses
from shared.runtime.lifecycle import Role, sleep_unless
from shared.runtime.logging import where

log = structlog.get_logger()

Chore = Callable[[], Awaitable[object]]
"""One step of its work; called again after its pause, whatever became of the last."""
Chores = Mapping[str, tuple[float, Chore]]
"""By name, each with the seconds between two of its steps."""


def page_role(chores: Chores, pulses: Pulses) -> Role:
    """None of the chores waits for another; what fails is tried again after its pause."""

    async def page(stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            for name, (seconds, chore) in chores.items():
                group.create_task(_forever(name, seconds, chore, pulses, stop), name=name)

    return page


async def _forever(
    name: str, seconds: float, chore: Chore, pulses: Pulses, stop: asyncio.Event
) -> None:
    while not stop.is_set():
        try:
            await chore()
            pulses.beat(name)
        except Exception as error:
            log.warning("chore_failed", chore=name, error=error, where=where(error))
        await sleep_unless(stop, seconds)
