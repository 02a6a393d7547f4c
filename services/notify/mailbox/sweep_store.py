"""All SQL of what waits in mailboxes. Nothing here commits.

Each query follows a partial index of what waits, so that finished notices cost nothing. Synthetic
referrals are nobody's to open.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text

from services.notify import models
from services.notify.leg_store import IN_CONFLICT
from services.notify.mailbox import reminders
from services.notify.tasks import tables as task_tables
from services.notify.tasks.store import file_tasks
from services.notify.tasks.task import TaskKind
from shared.runtime.db import Session

_AT_ONCE = 100
_FROM = (
    f"FROM {models.deliveries.fullname} d JOIN {models.notices.fullname} n USING (notice_id) "
    f"WHERE NOT n.synthetic AND NOT {IN_CONFLICT} AND "
)
_UNREAD = f"{_FROM} d.state = 'delivered' AND d.unread_since IS NOT NULL"
_SILENT = f"{_FROM} d.opened_at IS NOT NULL AND d.acknowledged_at IS NULL"
_OVERDUE = (
    "SELECT n.referral_id, n.notice_id, n.agency_id {waiting} AND {since} < :before "
    f"AND NOT EXISTS (SELECT FROM {task_tables.tasks.fullname} t "
    "WHERE t.kind = :kind AND t.about = n.notice_id) "
    f"ORDER BY {{since}} LIMIT {_AT_ONCE}"
)
_OVERDUE_UNREAD = text(_OVERDUE.format(waiting=_UNREAD, since="d.unread_since"))
_OVERDUE_SILENT = text(_OVERDUE.format(waiting=_SILENT, since="d.opened_at"))
OLDEST = (
    f"SELECT 'unread', min(d.unread_since) {_UNREAD} UNION ALL "
    f"SELECT 'unacknowledged', min(d.opened_at) {_SILENT}"
)


async def file_unread(session: Session, before: datetime, now: datetime) -> int:
    """Pointers that arrived before that time and that nobody has followed."""
    found = await _overdue(session, _OVERDUE_UNREAD, TaskKind.UNREAD, before)
    filed = [reminders.unread(row.referral_id, row.notice_id, row.agency_id) for row in found]
    await file_tasks(session, filed, now)
    return len(filed)


async def file_unacknowledged(session: Session, before: datetime, now: datetime) -> int:
    """Notices that were opened, or told by word of mouth, before that time, and answered by
    nobody since."""
    found = await _overdue(session, _OVERDUE_SILENT, TaskKind.UNACKNOWLEDGED, before)
    filed = [
        reminders.unacknowledged(row.referral_id, row.notice_id, row.agency_id) for row in found
    ]
    await file_tasks(session, filed, now)
    return len(filed)


async def _overdue(session: Session, query: Any, kind: TaskKind, before: datetime) -> Sequence[Any]:
    return await session.execute(query, {"before": before, "kind": kind.value})
