"""Beside the worker: a conflict that met a plan under way gets its substitutes a moment later."""

import asyncio

import structlog

from services.notify.conflicts import store as conflict_store
from services.notify.conflicts.substitution import Substitutes
from services.notify.planning import history_store as store
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
    """How many referrals were looked at. One that fails keeps none behind it from its turn."""
    looked_at, last = 0, ""
    while found := await _with_gaps(db, last):
        for referral_id in found:
            await fill_one(db, substitutes, referral_id)
        looked_at, last = looked_at + len(found), found[-1]
    return looked_at


async def fill_one(db: Database, substitutes: Substitutes, referral_id: str) -> None:
    """In a transaction of its own. What fails is looked at again a moment later, and its age is
    measured."""
    try:
        async with db.transaction() as session:
            history = await store.lock_history(session, [referral_id])
            await substitutes.fill(session, referral_id, history, utc_now())
    except Exception as error:
        log.warning("substitutes_not_planned", referral_id=referral_id, error=error)


async def _with_gaps(db: Database, after: str) -> list[str]:
    async with db.transaction() as session:
        return await conflict_store.with_gaps(session, after)


async def _fill_forever(db: Database, substitutes: Substitutes, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await fill_once(db, substitutes)
        except Exception as error:
            log.warning("substitutes_not_planned", error=error)
        await sleep_unless(stop, _EVERY_SECONDS)
