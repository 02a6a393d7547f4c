"""Destroying what notify holds of a child, and what then becomes of notices under way.

1. The key goes in the transaction that takes the order: nothing sealed under it opens again, and
   no delivery of this child is claimed from then on.
2. What waits is closed, with an event and a task for each.
3. An attempt under way ends by itself, within its own deadline; a moment later it is delivered, or
   closed like the others. Only when none is left is the order confirmed.
4. What holds a word of a later release waits for that, and its order with it.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import structlog

from services.notify import shredding_store
from services.notify.planning.plan import DeliveryState
from services.notify.routing.routes import role_of
from services.notify.shredding_store import Leg
from services.notify.tasks import task as tasks
from services.notify.tasks.store import file_tasks
from shared.contracts.base import Event
from shared.contracts.codes import Role
from shared.contracts.notices import ClosedNotice, NoticesClosed
from shared.contracts.shredding import ContentShredded, ShredOrdered
from shared.messaging.handler import AtOnce
from shared.messaging.outbox import Outbox
from shared.runtime import lifecycle
from shared.runtime.db import Database, Session
from shared.runtime.ids import utc_now
from shared.runtime.lifecycle import sleep_unless

log = structlog.get_logger()

_EVERY_SECONDS = 1.0


class Shred(AtOnce):
    """Takes the order to destroy one child's content."""

    def __init__(self, outbox: Outbox, clock: Callable[[], datetime] = utc_now) -> None:
        self._outbox = outbox
        self._clock = clock

    async def apply(
        self, session: Session, event: Event, data: ShredOrdered, material: Any
    ) -> None:
        now = self._clock()
        await shredding_store.begin(session, data, now)
        await settle(session, self._outbox, data, now)


async def settle(session: Session, outbox: Outbox, order: ShredOrdered, now: datetime) -> bool:
    """Close what waits; confirm if nothing is left. Whether it is confirmed now."""
    legs = await shredding_store.unended(session, order.child_id)
    waiting = [leg for leg in legs if _can_be_closed(leg)]
    if waiting:
        await shredding_store.close(session, waiting, now)
        filed = [tasks.content_shredded(leg.referral_id, leg.notice_id) for leg in waiting]
        await file_tasks(session, filed, now)
    events: list[NoticesClosed | ContentShredded] = []
    if waiting:
        events.append(_closed(order.referral_id, waiting, now))
    done = len(waiting) == len(legs) and await shredding_store.confirm(
        session, order.shredding_id, now
    )
    if done:
        events.append(
            ContentShredded(
                referral_id=order.referral_id,
                shredding_id=order.shredding_id,
                child_id=order.child_id,
                shredded_at=now,
            )
        )
    await outbox.emit(session, now, *events)
    return done


async def finish_once(db: Database, outbox: Outbox) -> int:
    """Look again at orders that are open yet; how many are confirmed now. One that fails keeps none
    behind it from its turn."""
    async with db.transaction() as session:
        open_orders = await shredding_store.unconfirmed(session)
    return sum([await _finish_one(db, outbox, order) for order in open_orders])


async def _finish_one(db: Database, outbox: Outbox, order: ShredOrdered) -> bool:
    try:
        async with db.transaction() as session:
            return await settle(session, outbox, order, utc_now())
    except Exception as error:
        log.warning("shredding_not_finished", error=error)
        return False


def shredding(db: Database, outbox: Outbox, work: lifecycle.Role) -> lifecycle.Role:
    """The role, and beside it a look every second for orders that are not confirmed yet."""

    async def run(stop: asyncio.Event) -> None:
        finishing = asyncio.create_task(_finish_forever(db, outbox, stop), name="shreddings")
        try:
            await work(stop)
        finally:
            finishing.cancel()
            await asyncio.wait((finishing,))

    return run


async def _finish_forever(db: Database, outbox: Outbox, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await finish_once(db, outbox)
        except Exception as error:
            log.warning("shredding_not_finished", error=error)
        await sleep_unless(stop, _EVERY_SECONDS)


def _can_be_closed(leg: Leg) -> bool:
    return leg.state is not DeliveryState.ATTEMPTING and role_of(leg.role) is not None


def _closed(referral_id: str, legs: Sequence[Leg], now: datetime) -> NoticesClosed:
    return NoticesClosed(
        referral_id=referral_id,
        notices=tuple(
            ClosedNotice(
                notice_id=leg.notice_id,
                child_id=leg.child_id,
                agency_id=leg.agency_id,
                role=Role(leg.role),
                version=leg.version,
                closed_at=now,
            )
            for leg in legs
        ),
    )
