"""SQL of notify's part of the way, from the plan to the acknowledgement. Nothing here commits."""

from sqlalchemy import text

from services.notify import models
from services.notify.controls import tables
from services.notify.untold_store import untold
from shared.contracts.base import Topic
from shared.messaging.standing import standing_still, unhandled
from shared.runtime.db import Database, Session
from shared.runtime.progress import DAY, Stage, Stopped, Way

_SINCE = "clock_timestamp() - make_interval(secs => :day)"
_PLANNED = text(f"SELECT count(*) FROM {models.plans.fullname} WHERE planned_at > {_SINCE}")
_ATTEMPTED = text(
    f"SELECT count(*) FROM {models.disclosures.fullname} WHERE attempted_at > {_SINCE}"
)
_DONE = text(
    f"SELECT count(*) FILTER (WHERE delivered_at > {_SINCE}) AS delivered, "
    f"count(*) FILTER (WHERE opened_at > {_SINCE}) AS opened, "
    f"count(*) FILTER (WHERE acknowledged_at > {_SINCE}) AS acknowledged "
    f"FROM {models.deliveries.fullname}"
)
_UNTRIED = "d.state IN ('pending', 'blocked') AND d.attempts = 0 AND d.delivered_at IS NULL"
_UNDER_WAY = (
    "d.delivered_at IS NULL AND (d.state = 'attempting' "
    "OR d.state IN ('pending', 'blocked') AND d.attempts > 0)"
)
_UNANSWERED = "d.opened_at IS NOT NULL AND d.acknowledged_at IS NULL"
_WAITING = text(
    " UNION ALL ".join(
        f"SELECT '{stage}' AS stage, count(*) AS waiting, coalesce(extract(epoch FROM "
        f"clock_timestamp() - min({since})), 0) AS oldest "
        f"FROM {models.deliveries.fullname} d JOIN {models.notices.fullname} n USING (notice_id) "
        f"WHERE {condition}"
        for stage, since, condition in (
            ("attempted", "n.planned_at", _UNTRIED),
            ("delivered", "n.planned_at", _UNDER_WAY),
            ("opened", "d.unread_since", "d.state = 'delivered' AND d.unread_since IS NOT NULL"),
            ("acknowledged", "d.opened_at", _UNANSWERED),
        )
    )
)
_HALTS = text(
    "SELECT h.halt_id, h.cause, h.set_by, "
    "extract(epoch FROM clock_timestamp() - h.set_at) AS age, "
    f"(SELECT count(*) FROM {models.deliveries.fullname} d "
    "WHERE d.state IN ('pending', 'blocked') AND d.delivered_at IS NULL "
    "AND (h.agency_id IS NULL OR h.agency_id = d.agency_id)) AS notices "
    f"FROM {tables.halts.fullname} h WHERE h.lifted_at IS NULL ORDER BY h.set_at LIMIT 20"
)


async def way(db: Database) -> Way:
    """Everything is read at one moment."""
    async with db.transaction() as session:
        waiting, oldest = await unhandled(session, models.INBOX, Topic.REFERRALS)
        planned = Stage("planned", await session.scalar(_PLANNED, {"day": DAY}), waiting, oldest)
        refused, people = await untold(session)
        stages = [planned, refused, *await _stages(session)]
        stopped = [*people, *await _halts(session), *await standing_still(session, models.INBOX)]
    return Way(stages, stopped)


async def _stages(session: Session) -> list[Stage]:
    done = dict((await session.execute(_DONE, {"day": DAY})).one())
    done["attempted"] = await session.scalar(_ATTEMPTED, {"day": DAY})
    rows = await session.execute(_WAITING)
    return [Stage(row.stage, done[row.stage], row.waiting, float(row.oldest)) for row in rows]


async def _halts(session: Session) -> list[Stopped]:
    """Without the agency and the reason, which a person typed: `controls list` has them."""
    return [
        Stopped(
            row.cause, row.halt_id, float(row.age), f"by {row.set_by}, {row.notices} notice(s) wait"
        )
        for row in await session.execute(_HALTS)
    ]
