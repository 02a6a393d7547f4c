"""Withholding rows of an accounting, and lifting that: each a unit of work, each an entry."""

from datetime import datetime

from services.audit.accounting import store
from services.audit.accounting.withholding import (
    LiftAsked,
    Lifted,
    Lifting,
    NotInForce,
    SamePerson,
    Withholding,
    lift,
)
from services.audit.deciding import decide
from services.audit.leaf import Decided
from shared.runtime.db import Database


async def withhold(db: Database, new: Withholding) -> None:
    """It holds from this commit on."""
    async with db.transaction() as session:
        await store.withhold(session, new)
        about, by, at = new.withholding_id, new.withheld_by, new.withheld_at
        await decide(session, by, Decided.WITHHELD, about, new.child_id, at)


async def lift_withholding(
    db: Database, withholding_id: str, by: str, now: datetime
) -> Lifting | None:
    """None: there is no such withholding."""
    async with db.transaction() as session:
        held = await store.lock_withholding(session, withholding_id)
        if held is None:
            return None
        outcome = lift(held, by, now)
        match outcome:
            case LiftAsked(withholding=after):
                await store.keep_lifting(session, after)
                await decide(session, by, Decided.LIFT_ASKED, withholding_id, after.child_id, now)
            case Lifted(withholding=after):
                await store.keep_lifting(session, after)
                await decide(session, by, Decided.LIFTED, withholding_id, after.child_id, now)
            case SamePerson() | NotInForce():
                pass
        return outcome
