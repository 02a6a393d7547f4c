"""All SQL of pages. Nothing here commits."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from services.notify.oncall import tables
from services.notify.oncall.escalation import Page, PageOutcome
from services.notify.tasks import tables as task_tables
from shared.runtime.db import Session

LEASE = timedelta(seconds=30)
"""Three times what a page may take: one that has no outcome by then is lost."""

_TASKS = task_tables.tasks.fullname
_PAGES, _PAGINGS = tables.pages.fullname, tables.pagings.fullname

# Whoever acknowledges waits for this lock, or is seen by it: nobody is paged afterwards.
_DUE = text(
    "SELECT t.task_id, t.kind, t.desk, t.created_at, coalesce(p.rounds, 0) AS rounds "
    f"FROM {_TASKS} t LEFT JOIN {_PAGINGS} p USING (task_id) WHERE t.acknowledged_at IS NULL "
    "AND (p.look_at IS NULL OR p.look_at <= :now) ORDER BY t.created_at, t.task_id "
    "LIMIT :most FOR UPDATE OF t SKIP LOCKED"
)
_CLAIM = text(
    f"INSERT INTO {_PAGES} (task_id, round, person, claimed_at) "
    "SELECT c.*, CAST(:now AS timestamptz) FROM unnest(CAST(:ids AS text[]), "
    "CAST(:rounds AS integer[]), CAST(:people AS text[])) AS c(task_id, round, person) "
    "ON CONFLICT DO NOTHING RETURNING task_id"
)
_LOOK = text(
    f"INSERT INTO {_PAGINGS} AS p (task_id, rounds, look_at) "
    "SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:rounds AS integer[]), "
    "CAST(:times AS timestamptz[])) AS n ON CONFLICT (task_id) DO UPDATE "
    "SET rounds = greatest(p.rounds, excluded.rounds), look_at = excluded.look_at"
)
_END = text(
    f"UPDATE {_PAGES} p SET outcome = e.outcome, ended_at = :now FROM unnest("
    "CAST(:ids AS text[]), CAST(:rounds AS integer[]), CAST(:people AS text[]), "
    "CAST(:outcomes AS text[])) AS e(task_id, round, person, outcome) "
    "WHERE p.task_id = e.task_id AND p.round = e.round AND p.person = e.person "
    "AND (p.outcome IS NULL OR p.outcome = 'lost')"
)
_REACHED = text(
    f"UPDATE {_PAGINGS} SET reached_at = coalesce(reached_at, :now) "
    "WHERE task_id = ANY(CAST(:taken AS text[]))"
)
_FAILED = text(f"UPDATE {_PAGINGS} SET look_at = :now WHERE task_id = ANY(CAST(:failed AS text[]))")
_LOSE = text(
    f"WITH lost AS (UPDATE {_PAGES} SET outcome = 'lost', ended_at = :now "
    "WHERE outcome IS NULL AND claimed_at < :before RETURNING task_id), "
    f"again AS (UPDATE {_PAGINGS} SET look_at = :now WHERE task_id IN (SELECT task_id FROM lost)) "
    "SELECT count(*) FROM lost"
)
_AGE = text(
    "SELECT coalesce(extract(epoch FROM clock_timestamp() - min(t.created_at)), 0) "
    f"FROM {_TASKS} t LEFT JOIN {_PAGINGS} p USING (task_id) "
    "WHERE t.acknowledged_at IS NULL AND p.reached_at IS NULL"
)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A page that is ours to send, once."""

    task_id: str
    kind: str
    since: datetime
    round: int
    person: str


async def lose(session: Session, now: datetime) -> int:
    """Pages of whoever died while sending: they are looked at again at once. How many."""
    return int(await session.scalar(_LOSE, {"now": now, "before": now - LEASE}))


async def lock_due(session: Session, most: int, now: datetime) -> Sequence[Any]:
    """Unacknowledged tasks to look at, the oldest first; what another pager holds is skipped."""
    return await session.execute(_DUE, {"now": now, "most": most})


async def pages_of(session: Session, task_ids: Sequence[str]) -> dict[str, list[Page]]:
    """Of each task, in order."""
    rows = await session.execute(
        text(
            f"SELECT * FROM {_PAGES} WHERE task_id = ANY(CAST(:ids AS text[])) "
            "ORDER BY claimed_at, round"
        ),
        {"ids": list(task_ids)},
    )
    found: dict[str, list[Page]] = defaultdict(list)
    for row in rows:
        outcome = None if row.outcome is None else PageOutcome(row.outcome)
        found[row.task_id].append(Page(row.round, row.person, row.claimed_at, outcome))
    return found


async def claim(session: Session, pages: Sequence[Claimed], now: datetime) -> list[Claimed]:
    """Those that are ours: a page is claimed once, by whoever commits first."""
    if not pages:
        return []
    ours = await session.scalars(
        _CLAIM,
        {
            "now": now,
            "ids": [each.task_id for each in pages],
            "rounds": [each.round for each in pages],
            "people": [each.person for each in pages],
        },
    )
    return [each for each in pages if each.task_id in ours]


async def look_again(session: Session, looks: Sequence[tuple[str, int, datetime]]) -> None:
    """(task, rounds begun, when)."""
    if looks:
        ids, rounds, times = zip(*looks, strict=True)
        await session.execute(
            _LOOK, {"ids": list(ids), "rounds": list(rounds), "times": list(times)}
        )


async def end(
    session: Session, ended: Sequence[tuple[Claimed, PageOutcome]], now: datetime
) -> None:
    """Where a page did not get through, the task is looked at again at once."""
    await session.execute(
        _END,
        {
            "now": now,
            "ids": [page.task_id for page, _ in ended],
            "rounds": [page.round for page, _ in ended],
            "people": [page.person for page, _ in ended],
            "outcomes": [outcome.value for _, outcome in ended],
        },
    )
    taken = [page.task_id for page, outcome in ended if outcome is PageOutcome.TAKEN]
    failed = [page.task_id for page, outcome in ended if outcome is not PageOutcome.TAKEN]
    await session.execute(_REACHED, {"now": now, "taken": taken})
    await session.execute(_FAILED, {"now": now, "failed": failed})


async def ages(session: Session) -> dict[str, float]:
    """Seconds that the oldest unacknowledged task has waited of which no pager has taken a page."""
    return {"task_unpaged": max(0.0, float(await session.scalar(_AGE)))}
