"""Beside the worker: a conflict that met a plan under way gets its substitutes a moment later."""

import asyncio

import structlog

from services.notify import conflict_store, store
from services.notify.substitution import Substitutes
from shared.runtime.db import Database
from shared.runtime.ids import utc_now
from shared.runtime.lifecycle import Role, sleep_unless

log = structlog.get_logger()

_EVERY_SECONDS = 2.0


def substituting(db: Database, substitutes: Substitutes, work: Role) -> Role:
    """The role, and beside it a look every two seconds for legs that nobody filled."""

    async def run(stop: asyncio.Event) -> None:
        filling = asyncio.create_task(_fill_forever(db, substitutes, stop), name="substitutes")
        try:
            await work(stop)
        finally:
            filling.cancel()
            await asyncio.wait((filling,))

    return run


async def fill_once(db: Database, substitutes: Substitutes) -> int:
    """How many referrals were looked at."""
    now = utc_now()
    async with db.transaction() as session:
        found = await conflict_store.with_gaps(session)
    for referral_id in found:
        async with db.transaction() as session:
            history = await store.lock_history(session, [referral_id])
            await substitutes.fill(session, referral_id, history, now)
    return len(found)


async def _fill_forever(db: Database, substitutes: Substitutes, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await fill_once(db, substitutes)
        except Exception as error:
            log.warning("substitutes_not_planned", error=error)
        await sleep_unless(stop, _EVERY_SECONDS)
