"""All SQL of redrives. Nothing here commits.

Locks: the job, then deliveries by version and notice, as delivery does.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text

from services.notify import models
from services.notify.conflicts import tables as conflict_tables
from services.notify.conflicts.barred import bars
from services.notify.controls import tables
from services.notify.controls.redrives import AGAIN, Redrive, Wanted
from services.notify.delivery.attempts import DELIVER_WAKE
from services.notify.directory.tables import agencies
from shared.runtime.db import Session, wake_after_commit
from shared.runtime.ids import new_id

_REDRIVES, _REDRIVEN = tables.redrives.fullname, tables.redriven.fullname
_DELIVERIES, _NOTICES = models.deliveries.fullname, models.notices.fullname
# A later version, or word that what it holds was withdrawn or not meant for it: a recalled notice
# must not be disclosed to the wrong recipient again.
_OVERTAKEN = (
    f"EXISTS (SELECT FROM {_NOTICES} l WHERE l.referral_id = n.referral_id "
    "AND l.child_id = n.child_id AND l.agency_id = n.agency_id AND (l.version > n.version "
    "OR (l.kind IN ('recall', 'withdrawal', 'supersession') "
    "AND (l.planned_at, l.notice_id) > (n.planned_at, n.notice_id))))"
)

_CANDIDATES = text(
    "SELECT n.notice_id, d.state, "
    f"NOT {_OVERTAKEN} AS newest, "
    f"EXISTS (SELECT FROM {conflict_tables.conflicts.fullname} k "
    f"WHERE {bars('k', 'n')}) AS conflicted "
    f"FROM {_NOTICES} n "
    f"JOIN {_DELIVERIES} d USING (notice_id) WHERE n.agency_id = :agency_id "
    "AND n.planned_at >= :since AND n.planned_at < :until ORDER BY n.planned_at, n.notice_id"
)
_INSERT = text(
    f"INSERT INTO {_REDRIVES} (redrive_id, agency_id, planned_from, planned_until, delivered_too, "
    "reason, asked_by, proposal_id, asked_at, listed) VALUES (:id, :agency_id, :since, :until, "
    ":delivered_too, :reason, :by, :proposal_id, :now, :listed)"
)
_LIST = text(
    f"INSERT INTO {_REDRIVEN} (redrive_id, notice_id) "
    "SELECT :id, * FROM unnest(CAST(:notices AS text[]))"
)
_PROGRESS = (
    f"SELECT r.*, c.accepted, c.left, c.open FROM {_REDRIVES} r CROSS JOIN LATERAL ("
    "SELECT count(*) FILTER (WHERE ended_as = 'accepted') AS accepted, "
    "count(*) FILTER (WHERE ended_as IN ('left', 'cancelled')) AS left, "
    "count(*) FILTER (WHERE ended_at IS NULL) AS open "
    f"FROM {_REDRIVEN} n WHERE n.redrive_id = r.redrive_id) c"
)
OLDEST = f"SELECT 'redrive', min(asked_at) FROM {_REDRIVES} WHERE finished_at IS NULL"
_LOCK_NEXT = text(
    f"SELECT redrive_id FROM {_REDRIVES} WHERE finished_at IS NULL "
    "ORDER BY asked_at, redrive_id LIMIT 1 OFFSET :skip FOR UPDATE SKIP LOCKED"
)
# Accepted again since it was queued; or not to be sent any more.
_END = text(
    f"UPDATE {_REDRIVEN} r SET ended_at = :now, ended_as = e.ended_as FROM ("
    f"SELECT q.notice_id, CASE WHEN EXISTS (SELECT FROM {models.disclosures.fullname} a "
    f"JOIN {models.disclosure_outcomes.fullname} o USING (disclosure_id) "
    "WHERE a.notice_id = q.notice_id AND o.http_status BETWEEN 200 AND 299 "
    "AND (a.attempted_at >= q.queued_at "
    "OR (NOT j.delivered_too AND o.occurred_at >= j.asked_at))) THEN 'accepted' "
    "WHEN d.state NOT IN ('pending', 'blocked', 'attempting', 'delivered') "
    "OR d.superseded_by IS NOT NULL THEN 'left' END AS ended_as "
    f"FROM {_REDRIVEN} q JOIN {_DELIVERIES} d USING (notice_id) "
    f"JOIN {_REDRIVES} j USING (redrive_id) "
    "WHERE q.redrive_id = :id AND q.ended_at IS NULL) AS e "
    "WHERE r.redrive_id = :id AND r.notice_id = e.notice_id AND e.ended_as IS NOT NULL"
)
# What waits is tried now; what was delivered is due again. One that is under way is let be.
_QUEUE = text(
    "WITH due AS (SELECT d.notice_id FROM "
    f"{_REDRIVEN} q JOIN {_DELIVERIES} d USING (notice_id) "
    f"JOIN {_NOTICES} n USING (notice_id) WHERE q.redrive_id = :id "
    "AND q.ended_at IS NULL AND (q.queued_at IS NULL OR (q.queued_at <= :before "
    "AND d.state = 'delivered')) AND d.state IN ('pending', 'delivered') "
    f"AND NOT {_OVERTAKEN} ORDER BY d.version, d.notice_id "
    "LIMIT :most FOR UPDATE OF d), "
    f"queued AS (UPDATE {_REDRIVEN} q SET queued_at = :now, tries = tries + 1 FROM due "
    "WHERE q.redrive_id = :id AND q.notice_id = due.notice_id) "
    f"UPDATE {_DELIVERIES} d SET state = 'pending', ended_at = NULL, "
    "next_attempt_at = least(coalesce(d.next_attempt_at, :now), :now) "
    "FROM due WHERE d.notice_id = due.notice_id AND d.state IN ('pending', 'delivered') "
    "RETURNING d.notice_id"
)
_LEAVE = text(
    f"UPDATE {_REDRIVEN} q SET ended_at = :now, ended_as = 'left' FROM {_NOTICES} n "
    "WHERE q.redrive_id = :id AND q.ended_at IS NULL AND n.notice_id = q.notice_id "
    f"AND ({_OVERTAKEN} OR EXISTS (SELECT FROM {conflict_tables.conflicts.fullname} k "
    f"WHERE {bars('k', 'n')}))"
)
_LEAVE_ALL = text(
    f"UPDATE {_REDRIVEN} q SET ended_at = :now, ended_as = 'left' FROM {_DELIVERIES} d "
    "WHERE q.redrive_id = :id AND q.ended_at IS NULL AND d.notice_id = q.notice_id "
    "AND d.state <> 'attempting'"
)
_AGENCY = text(f"SELECT * FROM {agencies.fullname} WHERE agency_id = :id")
_AGENCY_OF = text(
    f"SELECT a.* FROM {agencies.fullname} a JOIN {_REDRIVES} r USING (agency_id) "
    "WHERE r.redrive_id = :id"
)
_FINISH = text(
    f"UPDATE {_REDRIVES} r SET finished_at = :now WHERE redrive_id = :id AND NOT EXISTS ("
    f"SELECT FROM {_REDRIVEN} q WHERE q.redrive_id = r.redrive_id AND q.ended_at IS NULL)"
)


async def agency(session: Session, agency_id: str) -> Any:
    """Its row, or None."""
    return (await session.execute(_AGENCY, {"id": agency_id})).first()


async def agency_of(session: Session, redrive_id: str) -> Any:
    """The row of a job's agency."""
    return (await session.execute(_AGENCY_OF, {"id": redrive_id})).one()


async def candidates(session: Session, wanted: Wanted) -> Sequence[Any]:
    """(notice_id, state, newest, conflicted) of everything planned for it in the period."""
    return await session.execute(
        _CANDIDATES,
        {
            "agency_id": wanted.agency_id,
            "since": wanted.planned_from,
            "until": wanted.planned_until,
        },
    )


async def begun_alone(session: Session, agency_id: str, since: datetime) -> int:
    """How many notices one person's word alone has listed for it since then. Whoever asks next
    waits until this transaction ends, and sees what it began."""
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended('redrive ' || :id, 0))"),
        {"id": agency_id},
    )
    listed: int = await session.scalar(
        text(
            f"SELECT coalesce(sum(listed), 0) FROM {_REDRIVES} "
            "WHERE agency_id = :id AND proposal_id IS NULL AND asked_at > :since"
        ),
        {"id": agency_id, "since": since},
    )
    return int(listed)


async def start(
    session: Session,
    wanted: Wanted,
    notice_ids: Sequence[str],
    *,
    by: str,
    proposal_id: str | None,
    now: datetime,
) -> Redrive:
    redrive_id = new_id("rdv")
    await session.execute(
        _INSERT,
        {
            "id": redrive_id,
            "agency_id": wanted.agency_id,
            "since": wanted.planned_from,
            "until": wanted.planned_until,
            "delivered_too": wanted.delivered_too,
            "reason": wanted.reason,
            "by": by,
            "proposal_id": proposal_id,
            "now": now,
            "listed": len(notice_ids),
        },
    )
    await session.execute(_LIST, {"id": redrive_id, "notices": list(notice_ids)})
    made = await get(session, redrive_id)
    assert made is not None, "it was inserted just now"
    return made


async def get(session: Session, redrive_id: str) -> Redrive | None:
    rows = await session.execute(text(f"{_PROGRESS} WHERE r.redrive_id = :id"), {"id": redrive_id})
    return None if not rows else Redrive(**dict(rows.one()))


async def newest(session: Session, limit: int) -> Sequence[Redrive]:
    rows = await session.execute(
        text(f"{_PROGRESS} ORDER BY r.asked_at DESC, r.redrive_id LIMIT :limit"), {"limit": limit}
    )
    return [Redrive(**dict(row)) for row in rows]


async def lock_next(session: Session, skip: int) -> str | None:
    """An unfinished job, ours until this transaction ends."""
    found: str | None = await session.scalar(_LOCK_NEXT, {"skip": skip})
    return found


async def step(
    session: Session, redrive_id: str, most: int, now: datetime, *, permitted: bool
) -> int:
    """End what is over, make some more due, and the job itself if nothing is left. How many.

    `permitted`: the law lets its agency be told today; what is still open is left otherwise, lest
    it be asked for every minute.
    """
    given = {"id": redrive_id, "now": now}
    await session.execute(_END, given)
    await session.execute(_LEAVE if permitted else _LEAVE_ALL, given)
    these = {"before": now - AGAIN, "most": most if permitted else 0}
    queued = await session.execute(_QUEUE, given | these)
    await session.execute(_FINISH, given)
    if queued:
        wake_after_commit(session, DELIVER_WAKE)
    return len(queued)


async def cancel(session: Session, redrive_id: str, *, by: str, now: datetime) -> bool:
    """What is queued is sent; nothing more is. False: it was over already."""
    rows = await session.execute(
        text(
            f"UPDATE {_REDRIVES} SET finished_at = :now, cancelled_by = :by "
            "WHERE redrive_id = :id AND finished_at IS NULL RETURNING 1"
        ),
        {"id": redrive_id, "by": by, "now": now},
    )
    await session.execute(
        text(
            f"UPDATE {_REDRIVEN} SET ended_at = :now, ended_as = 'cancelled' "
            "WHERE redrive_id = :id AND ended_at IS NULL"
        ),
        {"id": redrive_id, "now": now},
    )
    return bool(rows)
