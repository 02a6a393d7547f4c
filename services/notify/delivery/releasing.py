"""Beside the worker: what waits for other notices of its recipient goes when those are over."""

import asyncio

import structlog

from services.notify.delivery import release_store
from shared.runtime.db import Database
from shared.runtime.ids import utc_now
from shared.runtime.lifecycle import Role, sleep_unless

log = structlog.get_logger()

_EVERY_SECONDS = 1.0


def releasing(db: Database, work: Role) -> Role:
    """The role, and beside it a look every second at what is blocked."""

    async def run(stop: asyncio.Event) -> None:
        looking = asyncio.create_task(_release_forever(db, stop), name="release")
        try:
            await work(stop)
        finally:
            looking.cancel()
            await asyncio.wait((looking,))

    return run


async def release_once(db: Database) -> int:
    """How many were let go, or found to be needless."""
    async with db.transaction() as session:
        return await release_store.release(session, utc_now())


async def _release_forever(db: Database, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await release_once(db)
        except Exception as error:
            log.warning("blocked_not_released", error=error)
        await sleep_unless(stop, _EVERY_SECONDS)
