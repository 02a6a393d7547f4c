"""Beside the worker: what it parked becomes a person's task, and the directory turns its page."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog

from services.notify.directory import store as directory_store
from services.notify.directory.authority import today
from services.notify.tasks import store as task_store
from shared.messaging.service import Consuming
from shared.runtime.db import Database
from shared.runtime.ids import utc_now
from shared.runtime.lifecycle import Role, sleep_unless

log = structlog.get_logger()

_EVERY_SECONDS = 5.0


def work_role(db: Database, consuming: Consuming) -> Role:
    """The role `work`: handles events, files a task for each subject that it had to park, and
    brings into force what the directory holds for a day that has come."""

    async def work(stop: asyncio.Event) -> None:
        beside = [asyncio.create_task(_forever(act, db, stop)) for act in (_file_parked, _turn)]
        try:
            await consuming.work(stop)
        finally:
            for each in beside:
                each.cancel()
            await asyncio.wait(beside)

    return work


async def _forever(
    act: Callable[[Database], Awaitable[None]], db: Database, stop: asyncio.Event
) -> None:
    while not stop.is_set():
        await act(db)
        await sleep_unless(stop, _EVERY_SECONDS)


async def _file_parked(db: Database) -> None:
    try:
        async with db.transaction() as session:
            await task_store.file_parked(session)
    except Exception as error:
        log.warning("parked_not_filed", error=error)


async def _turn(db: Database) -> None:
    try:
        await turn_page(db)
    except Exception as error:
        log.warning("directory_not_turned", error=error)


async def turn_page(db: Database, clock: Callable[[], datetime] = utc_now) -> None:
    """Seconds after midnight in Connecticut, what was recorded for the new day is in force."""
    now = clock()
    async with db.transaction() as session:
        turned = await directory_store.turn(session, today(now), now)
    if turned is not None:
        log.info("directory_turned", version=turned)
