"""SQL of what waits for a person or a partner, for the doctor. It only reads."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from services.notify import models
from services.notify.directory import tables as directory_tables
from services.notify.proposals import tables as proposal_tables
from services.notify.tasks import tables as task_tables
from shared.runtime.db import Session

_REFUSED = text(
    "SELECT d.agency_id, a.name, a.contact, count(*) AS notices, max(d.attempts) AS attempts, "
    "(array_agg(n.referral_id ORDER BY d.attempts DESC))[1] AS referral_id, "
    "min(greatest(d.next_attempt_at, a.hold_until)) "
    "FILTER (WHERE d.state = 'pending' AND NOT a.halted) AS next_at "
    f"FROM {models.deliveries.fullname} d JOIN {models.notices.fullname} n USING (notice_id) "
    f"JOIN {directory_tables.agencies.fullname} a ON a.agency_id = d.agency_id "
    "WHERE d.delivered_at IS NULL AND d.attempts > 0 "
    "AND d.state IN ('pending', 'blocked', 'attempting') "
    "GROUP BY d.agency_id, a.name, a.contact ORDER BY max(d.attempts) DESC, d.agency_id"
)
_TASKS = text(
    "SELECT kind, count(*) AS tasks, "
    "extract(epoch FROM clock_timestamp() - min(created_at)) AS age "
    f"FROM {task_tables.tasks.fullname} WHERE acknowledged_at IS NULL GROUP BY kind ORDER BY kind"
)
_PROPOSALS = text(
    f"SELECT proposal_id, kind FROM {proposal_tables.proposals.fullname} WHERE state = 'open' "
    "ORDER BY proposed_at"
)


@dataclass(frozen=True, slots=True)
class Refusing:
    """An agency that has not taken notices that were tried."""

    agency_id: str
    name: str
    contact: str | None
    notices: int
    attempts: int
    """Of the notice that was tried most often; `referral_id`: what that is about."""
    referral_id: str
    next_at: datetime | None
    """The next attempt at any of them; None: one is under way, or it is paused."""


@dataclass(frozen=True, slots=True)
class Open:
    """Tasks of one kind that nobody has acknowledged."""

    kind: str
    tasks: int
    seconds: float


async def refusing(session: Session) -> list[Refusing]:
    """The one that was tried most often first."""
    rows = await session.execute(_REFUSED)
    return [Refusing(**row) for row in rows]


async def tasks(session: Session) -> list[Open]:
    rows = await session.execute(_TASKS)
    return [Open(row.kind, row.tasks, float(row.age)) for row in rows]


async def proposals(session: Session) -> list[tuple[str, str]]:
    """Id and kind of each that is open, the oldest first."""
    return [(row.proposal_id, row.kind) for row in await session.execute(_PROPOSALS)]
