"""SQL of whom nobody tells, and of the tasks that cannot wait. Nothing here commits."""

from typing import Any

from sqlalchemy import text

from services.notify import models
from services.notify.conflicts import tables as conflict_tables
from services.notify.conflicts.barred import bars
from services.notify.directory import tables as directory_tables
from services.notify.directory.agencies import Kind
from services.notify.oral.tables import tellings
from services.notify.tasks import tables
from services.notify.tasks.task import TaskKind
from services.notify.tasks.urgency import URGENT
from shared.runtime.db import Session
from shared.runtime.progress import DAY, REFUSED, TASK, Stage, Stopped

_NOTICES, _AGENCIES = models.notices.fullname, directory_tables.agencies.fullname
_LEG = "notice_id, referral_id, child_id, agency_id, role, version"
# Told in the role and the version of the refused one, for the whole state, and of another kind:
# its stand-in. A later version of the refused one is told of anew.
_TOLD = (
    "SELECT a.kind, x.told_at FROM ("
    f"SELECT {_LEG} FROM {models.refusals.fullname} UNION ALL "
    f"SELECT {', '.join(f'n.{name}' for name in _LEG.split(', '))} FROM {_NOTICES} n "
    f"JOIN {models.deliveries.fullname} d USING (notice_id) WHERE d.state = 'refused') r "
    f"JOIN {_AGENCIES} gone ON gone.agency_id = r.agency_id "
    f"JOIN {_NOTICES} n ON n.referral_id = r.referral_id AND n.child_id = r.child_id "
    "AND n.version = r.version "
    f"JOIN {_AGENCIES} a ON a.agency_id = n.agency_id AND a.kind <> gone.kind "
    "AND cardinality(a.towns || a.beats || a.judicial_districts) = 0 "
    f"JOIN {tellings.fullname} x ON x.notice_id = n.notice_id "
    "WHERE r.notice_id = {refused} AND (n.role = r.role OR EXISTS "
    f"(SELECT FROM {conflict_tables.stand_ins.fullname} s "
    "WHERE s.notice_id = n.notice_id AND s.role = r.role)) "
    f"AND NOT EXISTS (SELECT FROM {conflict_tables.conflicts.fullname} k WHERE {bars('k', 'n')}) "
    "ORDER BY x.told_at LIMIT 1"
)
_AGE = "coalesce(extract(epoch FROM clock_timestamp() - min(t.created_at)), 0) AS oldest"
_OPEN = text(
    "SELECT t.kind, count(*) AS tasks, count(DISTINCT t.referral_id) AS referrals, "
    f"told.kind AS told, max(told.told_at) AS told_at, {_AGE} FROM {tables.tasks.fullname} t "
    f"LEFT JOIN LATERAL ({_TOLD.format(refused='t.about')}) told ON t.kind = :refused "
    "WHERE t.acknowledged_at IS NULL AND t.kind = ANY(CAST(:kinds AS text[])) "
    "GROUP BY t.kind, told.kind ORDER BY min(t.created_at), t.kind"
)
_LATELY = text(
    f"SELECT count(*) FROM {models.refusals.fullname} f "
    "WHERE f.refused_at > clock_timestamp() - make_interval(secs => :day) "
    f"AND NOT EXISTS (SELECT FROM {models.plans.fullname} p "
    "WHERE p.referral_id = f.referral_id AND p.version > f.version) "
    f"AND NOT EXISTS ({_TOLD.format(refused='f.notice_id')})"
)
_NAMED: dict[str, str] = {
    Kind.STATE_POLICE: "State Police",
    Kind.FBI: "FBI",
    Kind.CHIEF_STATES_ATTORNEY: "Chief State's Attorney",
}


async def untold(session: Session) -> tuple[Stage, list[Stopped]]:
    """Notices that go to nobody, and what waits for a person now. What a later version plans anew,
    or a stand-in was told by telephone, is not counted among the day's."""
    kinds = sorted(kind.value for kind in URGENT)
    rows = await session.execute(_OPEN, {"kinds": kinds, "refused": TaskKind.REFUSED.value})
    found = rows.all()
    done = await session.scalar(_LATELY, {"day": DAY})
    nobody = [row for row in found if row.kind == TaskKind.REFUSED and row.told is None]
    waiting = sum(row.tasks for row in nobody)
    oldest = max((float(row.oldest) for row in nobody), default=0.0)
    return Stage(REFUSED, done, waiting, oldest), [_stopped(row) for row in found]


def _stopped(row: Any) -> Stopped:
    """Whose office was told, and when: the port asks for no token."""
    if row.kind != TaskKind.REFUSED:
        return Stopped(TASK, f"{row.tasks} {row.kind}", float(row.oldest))
    whose = f"{row.tasks} notice(s) of {row.referrals} referral(s)"
    told = "" if row.told is None else f"{_named(row.told)} told {row.told_at:%H:%MZ}"
    return Stopped(REFUSED, whose, float(row.oldest), told)


def _named(kind: str) -> str:
    return _NAMED.get(kind) or kind.replace("_", " ")
