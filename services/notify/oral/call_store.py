"""All SQL of recipients that a person has to call. Nothing here commits."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from services.notify import models
from services.notify.conflicts import tables as conflict_tables
from services.notify.conflicts.barred import bars
from services.notify.oral.calls import to_be_called
from services.notify.tasks.store import file_tasks
from shared.runtime.db import Session

LOOK_AGAIN = timedelta(minutes=15)
"""The task stays until somebody tells the recipient; this only files it should it be missing."""

_ASK = text(
    f"UPDATE {models.deliveries.fullname} d SET next_attempt_at = :again "
    "WHERE d.notice_id = ANY(CAST(:ids AS text[])) "
    f"AND NOT EXISTS (SELECT FROM {conflict_tables.conflicts.fullname} k WHERE {bars('k', 'd')}) "
    "RETURNING d.notice_id"
)


async def ask_for_calls(session: Session, notices: Sequence[Any], now: datetime) -> frozenset[str]:
    """File a task for each of these notices (rows of that table, their deliveries locked).

    Those asked for; the others have a conflict of interest. Nothing leaves, so nothing is
    recorded as disclosed: whoever makes the call records it.
    """
    ids = [notice.notice_id for notice in notices]
    asked = frozenset(await session.scalars(_ASK, {"ids": ids, "again": now + LOOK_AGAIN}))
    filed = [
        to_be_called(notice.referral_id, notice.notice_id, notice.agency_id)
        for notice in notices
        if notice.notice_id in asked
    ]
    await file_tasks(session, filed, now)
    return asked
