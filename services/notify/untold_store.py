"""SQL of whom nobody tells, and of the tasks that cannot wait. Nothing here commits."""

from sqlalchemy import text

from services.notify import models
from services.notify.tasks import tables
from services.notify.tasks.task import TaskKind
from services.notify.tasks.urgency import URGENT
from shared.runtime.db import Session
from shared.runtime.progress import DAY, REFUSED, TASK, Stage, Stopped

_AGE = "coalesce(extract(epoch FROM clock_timestamp() - min(t.created_at)), 0) AS oldest"
_OPEN = text(
    "SELECT t.kind, count(*) AS tasks, count(DISTINCT t.referral_id) AS referrals, "
    f"{_AGE} FROM {tables.tasks.fullname} t WHERE t.acknowledged_at IS NULL "
    "AND t.kind = ANY(CAST(:kinds AS text[])) GROUP BY t.kind ORDER BY min(t.created_at), t.kind"
)
_LATELY = text(
    f"SELECT count(*) FROM {models.refusals.fullname} r "
    "WHERE r.refused_at > clock_timestamp() - make_interval(secs => :day) "
    f"AND NOT EXISTS (SELECT FROM {models.plans.fullname} p "
    "WHERE p.referral_id = r.referral_id AND p.version > r.version)"
)


async def untold(session: Session) -> tuple[Stage, list[Stopped]]:
    """Notices that go to nobody, and what waits for a person now. What a later version plans anew
    is not counted among the day's."""
    rows = await session.execute(_OPEN, {"kinds": sorted(kind.value for kind in URGENT)})
    found = rows.all()
    done = await session.scalar(_LATELY, {"day": DAY})
    waiting, oldest, stopped = 0, 0.0, []
    for row in found:
        if row.kind == TaskKind.REFUSED:
            waiting, oldest = row.tasks, float(row.oldest)
            whose = f"{row.tasks} notice(s) of {row.referrals} referral(s)"
            stopped.append(Stopped(REFUSED, whose, oldest))
        else:
            stopped.append(Stopped(TASK, f"{row.tasks} {row.kind}", float(row.oldest)))
    return Stage(REFUSED, done, waiting, oldest), stopped
