"""All SQL of claims that end without an attempt: refused, suppressed, or for a person to make or to
mend. Nothing here commits.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from services.notify import models
from services.notify.conflicts.barred import AS_REFUSED
from services.notify.delivery.channels import channel_of
from services.notify.delivery.outcomes import Obstacle
from services.notify.oral.call_store import ask_for_calls
from services.notify.routing.routes import Refused
from services.notify.tasks import task as tasks
from services.notify.tasks.store import file_tasks
from shared.contracts.codes import RefusalReason, Role
from shared.runtime.db import Session

_END = text(
    f"UPDATE {models.deliveries.fullname} SET {AS_REFUSED}, next_attempt_at = NULL, "
    "ended_at = :now WHERE notice_id = ANY(:ids)"
)

_SET_ASIDE = text(
    f"UPDATE {models.deliveries.fullname} SET next_attempt_at = :later WHERE notice_id = ANY(:ids)"
)
_LOOKED_AT_AGAIN = timedelta(minutes=1)


async def ask_people(session: Session, notices: Sequence[Any], now: datetime) -> None:
    """Of recipients told by word of mouth alone."""
    asked = await ask_for_calls(session, notices, now)
    if barred := [each for each in notices if each.notice_id not in asked]:
        await suppress(session, barred, now)


async def suppress(session: Session, notices: Sequence[Any], now: datetime) -> None:
    """No event: one with this reason would betray somebody (P5). The task is for staff alone."""
    await session.execute(_END, {"ids": [notice.notice_id for notice in notices], "now": now})
    filed = [tasks.conflict(notice.referral_id, notice.agency_id) for notice in notices]
    await file_tasks(session, filed, now)


async def set_aside(session: Session, notices: Sequence[Any], now: datetime) -> None:
    """What cannot be read, or by whose channel, waits until a person has mended the record, and
    nobody waits for it meanwhile."""
    later = {"ids": [notice.notice_id for notice in notices], "later": now + _LOOKED_AT_AGAIN}
    await session.execute(_SET_ASIDE, later)
    filed = [
        tasks.cannot_send(
            notice.referral_id,
            notice.notice_id,
            Obstacle.UNREADABLE if channel_of(notice.channel) else Obstacle.BAD_CHANNEL,
        )
        for notice in notices
    ]
    await file_tasks(session, filed, now)


async def refuse(
    session: Session,
    refused: Sequence[tuple[Any, RefusalReason]],
    again: Collection[str],
    now: datetime,
) -> None:
    """`again`: of these, notices that were accepted before and were to be sent once more."""
    await session.execute(_END, {"ids": [notice.notice_id for notice, _ in refused], "now": now})
    filed = [
        (tasks.not_sent_again if notice.notice_id in again else tasks.refused)(
            notice.referral_id,
            notice.notice_id,
            notice.version,
            Refused(
                notice.child_id,
                notice.agency_id,
                Role(notice.role),
                notice.rule,
                notice.because,
                reason,
            ),
        )
        for notice, reason in refused
    ]
    await file_tasks(session, filed, now)
