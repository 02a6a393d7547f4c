"""Held notices are told of once: an event for the clocks' keepers, beside the halt's own task."""

from collections import defaultdict
from datetime import datetime

from services.notify.controls import hold_store
from services.notify.routing.routes import role_of
from shared.contracts.codes import NoticeKind
from shared.contracts.notices import HeldNotice, NoticesHeld
from shared.messaging.outbox import Outbox
from shared.runtime.db import Database


async def tell_held(db: Database, outbox: Outbox, now: datetime) -> int:
    """How many more notices were found held. A supersession is no duty, and is not told of; nor is
    a role that this release does not know: its notice becomes a task when it is claimed."""
    async with db.transaction() as session:
        found = await hold_store.take(session, now)
        by_referral = defaultdict(list)
        for row in found:
            role = role_of(row.role)
            if row.kind != NoticeKind.SUPERSESSION and role is not None:
                by_referral[row.referral_id].append(
                    HeldNotice(
                        notice_id=row.notice_id,
                        child_id=row.child_id,
                        agency_id=row.agency_id,
                        role=role,
                        version=row.version,
                        held_at=now,
                    )
                )
        await outbox.emit(
            session,
            now,
            *(
                NoticesHeld(referral_id=referral_id, notices=tuple(held))
                for referral_id, held in by_referral.items()
            ),
        )
    return len(found)
