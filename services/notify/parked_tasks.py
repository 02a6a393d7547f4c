"""Beside the worker: every subject it had to park becomes a person's task."""

import asyncio

import structlog

from services.notify import task_store
from shared.messaging.service import Consuming
from shared.runtime.db import Database
from shared.runtime.lifecycle import Role, sleep_unless

log = structlog.get_logger()

_EVERY_SECONDS = 5.0


def work_role(db: Database, consuming: Consuming) -> Role:
    """The role `work`: handles events, and files a task for each subject that it had to park."""

    async def work(stop: asyncio.Event) -> None:
        filing = asyncio.create_task(_file_forever(db, stop), name="parked tasks")
        try:
            await consuming.work(stop)
        finally:
            filing.cancel()
            await asyncio.wait((filing,))

    return work


async def _file_forever(db: Database, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            async with db.transaction() as session:
                await task_store.file_parked(session)
        except Exception as error:
            log.warning("parked_not_filed", error=error)
        await sleep_unless(stop, _EVERY_SECONDS)
