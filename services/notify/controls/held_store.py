"""SQL of whose notices an open halt keeps back, for whoever tells them by telephone meanwhile.
Nothing here commits."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from services.notify import models
from services.notify.conflicts import tables as conflict_tables
from services.notify.conflicts.barred import bars
from services.notify.controls import tables
from services.notify.directory import tables as directory_tables
from services.notify.directory.authority import refusal, today
from services.notify.tasks import tables as task_tables
from shared.contracts.codes import RefusalReason
from shared.runtime.db import Session

_NOTICES = models.notices.fullname


def _due(notice: str) -> str:
    """The first of its clocks that a task tells of; else the 12 hours of CGS 17a-101b(c)."""
    return (
        f"CASE WHEN {notice}.kind IN ('original', 'correction') THEN coalesce("
        f"(SELECT min(c.due_at) FROM {task_tables.task_clocks.fullname} c "
        f"WHERE c.referral_id = {notice}.referral_id AND c.child_id = {notice}.child_id "
        f"AND c.role = {notice}.role), {notice}.received_at + interval '12 hours') END"
    )


def _place(notice: str) -> str:
    return f"coalesce({_due(notice)}, 'infinity'), {notice}.notice_id"


_HELD = text(
    "SELECT n.referral_id, n.notice_id, n.child_id, n.role, n.version, n.kind, n.synthetic, "
    f"n.agency_id, a.name AS recipient, a.contact, {_due('n')} AS due_at, a.authority, "
    "a.authority_from, least(a.authority_to, a.mou_to) AS authority_to "
    f"FROM {tables.halts.fullname} h JOIN {directory_tables.agencies.fullname} a "
    "ON h.agency_id IS NULL OR h.agency_id = a.agency_id "
    f"JOIN {models.deliveries.fullname} d ON d.agency_id = a.agency_id "
    f"JOIN {_NOTICES} n ON n.notice_id = d.notice_id "
    "WHERE h.halt_id = :halt_id AND h.lifted_at IS NULL "
    "AND d.state IN ('pending', 'blocked') AND d.delivered_at IS NULL "
    f"AND NOT EXISTS (SELECT FROM {conflict_tables.conflicts.fullname} k WHERE {bars('k', 'n')}) "
    f"AND (CAST(:after AS text) IS NULL OR ({_place('n')}) > "
    f"(SELECT {_place('m')} FROM {_NOTICES} m WHERE m.notice_id = :after)) "
    f"ORDER BY {_place('n')} LIMIT :most"
)


@dataclass(frozen=True, slots=True)
class HeldLeg:
    """A notice that a halt keeps back, and whom to call of it."""

    referral_id: str
    notice_id: str
    child_id: str
    role: str
    version: int
    kind: str
    synthetic: bool
    agency_id: str
    recipient: str
    contact: str | None
    due_at: datetime | None
    """None: no duty, such as of "your version is outdated"."""
    not_to_be_told: RefusalReason | None
    """Why the law does not permit telling it today, by telephone neither."""


async def held_by(
    session: Session, halt_id: str, *, after: str | None, most: int, now: datetime
) -> list[HeldLeg]:
    """The nearest due first, from behind the notice `after`; without whoever has a conflict of
    interest. None of a halt that was lifted."""
    values = {"halt_id": halt_id, "after": after, "most": most}
    return [_leg(dict(row), now) for row in await session.execute(_HELD, values)]


def _leg(row: dict[str, Any], now: datetime) -> HeldLeg:
    authority, since, until = (
        row.pop(name) for name in ("authority", "authority_from", "authority_to")
    )
    barred = refusal(authority, since, until, reachable=True, on=today(now))
    return HeldLeg(**row, not_to_be_told=barred)
