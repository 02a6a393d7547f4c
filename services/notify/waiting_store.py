"""SQL of what waits for a person or a partner, for the doctor. It only reads."""

from dataclasses import dataclass

from sqlalchemy import text

from services.notify import models
from services.notify.proposals import tables as proposal_tables
from shared.runtime.db import Session

_REFUSED = text(
    "SELECT agency_id, count(*) AS notices, max(attempts) AS attempts "
    f"FROM {models.deliveries.fullname} WHERE delivered_at IS NULL AND attempts > 0 "
    "AND state IN ('pending', 'blocked', 'attempting') "
    "GROUP BY agency_id ORDER BY max(attempts) DESC, agency_id"
)
_TASKS = text(
    "SELECT kind, count(*) AS tasks, "
    "extract(epoch FROM clock_timestamp() - min(created_at)) AS age "
    f"FROM {models.tasks.fullname} WHERE acknowledged_at IS NULL GROUP BY kind ORDER BY kind"
)
_PROPOSALS = text(
    f"SELECT proposal_id, kind FROM {proposal_tables.proposals.fullname} WHERE state = 'open' "
    "ORDER BY proposed_at"
)


@dataclass(frozen=True, slots=True)
class Refusing:
    """An agency that has not taken notices that were tried."""

    agency_id: str
    notices: int
    attempts: int
    """Of the notice that was tried most often."""


@dataclass(frozen=True, slots=True)
class Open:
    """Tasks of one kind that nobody has acknowledged."""

    kind: str
    tasks: int
    seconds: float


async def refusing(session: Session) -> list[Refusing]:
    """The one that was tried most often first."""
    rows = await session.execute(_REFUSED)
    return [Refusing(row.agency_id, row.notices, row.attempts) for row in rows]


async def tasks(session: Session) -> list[Open]:
    rows = await session.execute(_TASKS)
    return [Open(row.kind, row.tasks, float(row.age)) for row in rows]


async def proposals(session: Session) -> list[tuple[str, str]]:
    """Id and kind of each that is open, the oldest first."""
    return [(row.proposal_id, row.kind) for row in await session.execute(_PROPOSALS)]
