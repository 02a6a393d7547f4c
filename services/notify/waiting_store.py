"""SQL of what waits for a person or a partner, for the doctor. It only reads."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from services.notify import models
from services.notify.delivery.answers import last_answer
from services.notify.directory import tables as directory_tables
from services.notify.proposals import tables as proposal_tables
from services.notify.tasks import standing_store
from services.notify.tasks import tables as task_tables
from services.notify.tasks.standing_tasks import Paused, Unreached, over
from services.notify.tasks.task import TaskKind
from shared.runtime.db import Session

_DUE = (
    f"coalesce((SELECT min(c.due_at) FROM {task_tables.task_clocks.fullname} c "
    "WHERE c.referral_id = n.referral_id AND c.child_id = n.child_id AND c.role = n.role), "
    "n.received_at + interval '12 hours')"
)
"""The first of its clocks that a task tells of; else the 12 hours of CGS 17a-101b(c)."""
_NEAREST = "ORDER BY w.due_at, w.notice_id"
_CHANGES = (
    f"FROM {proposal_tables.proposals.fullname} p, jsonb_array_elements(p.body->'changes') c "
    "WHERE p.kind = 'directory' AND c->'after'->>'agency_id' = w.agency_id "
    "AND (c->'before'->'endpoint', c->'before'->'encryption_key') "
    "IS DISTINCT FROM (c->'after'->'endpoint', c->'after'->'encryption_key') "
)
"""Of the agency's endpoint or key."""
_REFUSED = text(
    "WITH w AS (SELECT d.agency_id, d.notice_id, d.attempts, d.state, d.next_attempt_at, "
    f"n.referral_id, {_DUE} AS due_at, l.answer, l.occurred_at "
    f"FROM {models.deliveries.fullname} d JOIN {models.notices.fullname} n USING (notice_id) "
    f"LEFT JOIN LATERAL ({last_answer('d.notice_id')}) AS l ON true "
    "WHERE d.delivered_at IS NULL AND d.attempts > 0 "
    "AND d.state IN ('pending', 'blocked', 'attempting')) "
    "SELECT w.agency_id, a.name, a.contact, count(*) AS notices, max(w.attempts) AS attempts, "
    f"(array_agg(w.referral_id {_NEAREST}))[1] AS referral_id, "
    f"(array_agg(w.attempts {_NEAREST}))[1] AS tried, min(w.due_at) AS due_at, "
    "min(greatest(w.next_attempt_at, a.hold_until)) "
    "FILTER (WHERE w.state = 'pending' AND NOT a.halted) AS next_at, "
    "(array_agg(w.answer ORDER BY w.occurred_at DESC NULLS LAST))[1] AS answer, "
    f"(SELECT p.proposal_id {_CHANGES} AND p.state = 'open' ORDER BY p.proposed_at DESC LIMIT 1) "
    f"AS mend, (SELECT p.proposal_id {_CHANGES} AND p.state = 'approved' "
    "AND p.decided_at > clock_timestamp() - interval '1 day' "
    "ORDER BY p.decided_at DESC LIMIT 1) AS changed "
    f"FROM w JOIN {directory_tables.agencies.fullname} a ON a.agency_id = w.agency_id "
    "GROUP BY w.agency_id, a.name, a.contact ORDER BY max(w.attempts) DESC, w.agency_id"
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
    """Of the notice that was tried most often."""
    referral_id: str
    """Of those it has not taken, the one whose clock is nearest, always the same; `tried` and
    `due_at` are of that."""
    tried: int
    due_at: datetime
    next_at: datetime | None
    """The next attempt at any of them; None: one is under way, or it is paused."""
    answer: str | None = None
    """The last, of any of them."""
    mend: str | None = None
    """The open proposal that changes its endpoint or key."""
    changed: str | None = None
    """The proposal that changed them, within the last day."""


@dataclass(frozen=True, slots=True)
class Open:
    """Tasks of one kind that nobody has acknowledged."""

    kind: str
    tasks: int
    seconds: float
    over: int = 0
    """Of these, how many are about what has ended since."""


async def refusing(session: Session) -> list[Refusing]:
    """The one that was tried most often first."""
    rows = await session.execute(_REFUSED)
    return [Refusing(**row) for row in rows]


async def tasks(session: Session) -> list[Open]:
    rows = await session.execute(_TASKS)
    ended = await _ended(session)
    return [Open(row.kind, row.tasks, float(row.age), ended[row.kind]) for row in rows]


async def _ended(session: Session) -> Counter[str]:
    standing = await standing_store.standing_of(session, await standing_store.open_of(session))
    kinds = {Unreached: TaskKind.UNREACHABLE, Paused: TaskKind.HELD}
    return Counter(kinds[type(each)].value for each in standing.values() if over(each))


async def proposals(session: Session) -> list[tuple[str, str]]:
    """Id and kind of each that is open, the oldest first."""
    return [(row.proposal_id, row.kind) for row in await session.execute(_PROPOSALS)]
