"""Carrying out what two people have ordered: intake is told, until it has taken the order."""

import asyncio

import structlog

from services.audit.accounting.neighbours import People
from services.audit.retention import store
from services.audit.retention.desk import SHRED_WAKE
from shared.runtime.db import Database
from shared.runtime.ids import utc_now
from shared.runtime.lifecycle import Role

log = structlog.get_logger()

_EVERY_SECONDS = 2.0


async def order_once(db: Database, people: People) -> int:
    """How many orders intake has taken. One that it refuses holds up no other; an age pages."""
    async with db.transaction() as session:
        approved = await store.to_order(session)
    taken = 0
    for each in approved:
        try:
            await people.shred(each.child_id, each.shredding_id)
        except Exception as error:
            log.warning("shredding_not_ordered", shredding_id=each.shredding_id, error=error)
            continue
        async with db.transaction() as session:
            await store.mark_ordered(session, each.shredding_id, utc_now())
        taken += 1
    return taken


def ordering(db: Database, people: People, work: Role) -> Role:
    """The role, and beside it a look every two seconds for orders that nobody has taken."""

    async def run(stop: asyncio.Event) -> None:
        beside = asyncio.create_task(_order_forever(db, people), name="shredding orders")
        try:
            await work(stop)
        finally:
            beside.cancel()
            await asyncio.wait((beside,))

    return run


async def _order_forever(db: Database, people: People) -> None:
    while True:
        try:
            await order_once(db, people)
        except Exception as error:
            log.warning("shredding_not_ordered", shredding_id=None, error=error)
        await db.wakes.wait(SHRED_WAKE, _EVERY_SECONDS)
