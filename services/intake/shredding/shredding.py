"""Carrying out the order to destroy one child's content, once, however often it comes."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from services.intake.retrying import until_known
from services.intake.shredding import store
from services.intake.shredding.store import Subjects
from shared.contracts.shredding import ContentShredded, ShredOrdered
from shared.messaging.outbox import Outbox
from shared.runtime.db import Database


@dataclass(frozen=True, slots=True)
class Order:
    """What audit asks for, after one person asked and another approved."""

    shredding_id: str
    child_id: str
    now: datetime


class Shredding:
    """The unit of work behind audit's order."""

    def __init__(self, db: Database, outbox: Outbox) -> None:
        self._db = db
        self._outbox = outbox

    async def shred(self, order: Order) -> bool:
        """False: there is no such child. Destroys the key, tells every other holder to, and
        confirms, in one commit; an order for what is destroyed says nothing twice."""
        return await until_known(partial(self._attempt, order))

    async def _attempt(self, order: Order) -> bool:
        async with self._db.transaction() as session:
            referral_id = await store.hold(session, order.child_id)
            if referral_id is None:
                return False
            if await store.destroy(session, order.child_id, order.shredding_id, order.now):
                about = {"shredding_id": order.shredding_id, "child_id": order.child_id}
                await self._outbox.emit(
                    session,
                    order.now,
                    ShredOrdered(referral_id=referral_id, ordered_at=order.now, **about),
                    ContentShredded(referral_id=referral_id, shredded_at=order.now, **about),
                )
            return True

    async def subjects(self, child_id: str) -> Subjects | None:
        """Whom a child is, across referrals; None if there is no such child."""
        async with self._db.transaction() as session:
            return await store.subjects(session, child_id)
