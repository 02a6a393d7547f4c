"""All SQL of tasks about clocks: one for each desk and referral, whose clocks are beside it.
Nothing here commits."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import text

from services.notify import models
from services.notify.leg_store import MAY_HOLD
from services.notify.tasks import store as task_store
from services.notify.tasks import tables
from services.notify.tasks.breaches import Clock, Known, Leg
from services.notify.tasks.clock_tasks import for_desk
from services.notify.tasks.task import NewTask, TaskKind
from shared.contracts.deadlines import BreachCorrected, ClockApproaching, ClockBreached
from shared.runtime.bulk import Bulk, Into
from shared.runtime.db import Session

_TASKS, _CLOCKS = tables.tasks.fullname, tables.task_clocks.fullname
_COLUMNS = ("kind", "about", "task_id", "referral_id", "child_id", "policy", "role", "due_at")
_ADDED = Bulk(Into(tables.task_clocks, _COLUMNS))
_KNOWN = text(
    f"SELECT about FROM {_CLOCKS} WHERE kind = :kind AND about = ANY(CAST(:abouts AS text[])) "
    # A release before had a task for each clock.
    f"UNION SELECT about FROM {_TASKS} WHERE kind = :kind AND about = ANY(CAST(:abouts AS text[]))"
)
# Whoever acknowledges waits for this lock, or is seen by it: then the clock is a task of its own.
_OPEN = text(
    f"SELECT t.task_id, t.desk FROM {_TASKS} t WHERE t.kind = :kind "
    "AND t.acknowledged_at IS NULL AND t.task_id IN "
    f"(SELECT task_id FROM {_CLOCKS} WHERE referral_id = :referral_id) FOR UPDATE OF t"
)
_JOIN = text(
    f"UPDATE {_TASKS} SET detail = detail || ' ' || CAST(:detail AS text) WHERE task_id = :task_id"
)
_FILED = text(
    f"SELECT task_id, about FROM {_TASKS} WHERE kind = :kind "
    "AND about = ANY(CAST(:abouts AS text[]))"
)
_ABOUT = "(x.about = :about OR x.about = :about || ' ' || t.desk)"
_NOTE = text(
    f"UPDATE {_TASKS} t SET detail = t.detail || CAST(:note AS text) WHERE t.kind = :kind "
    "AND t.referral_id = :referral_id AND position(CAST(:note AS text) IN t.detail) = 0 "
    f"AND EXISTS (SELECT FROM {_CLOCKS} x WHERE x.task_id = t.task_id AND {_ABOUT} "
    # A release before had a task for each clock, and nothing beside it.
    f"UNION ALL SELECT FROM {_TASKS} x WHERE x.task_id = t.task_id AND {_ABOUT})"
)
_CLOCKS_OF = text(
    "SELECT task_id, child_id, policy, role, due_at "
    f"FROM {_CLOCKS} WHERE task_id = ANY(CAST(:ids AS text[])) ORDER BY due_at, policy, about"
)
_LEGS = text(
    "SELECT n.referral_id, n.child_id, r.role, n.agency_id, min(coalesce(d.opened_at, "
    "d.delivered_at)) FILTER (WHERE d.opened_at IS NOT NULL OR (d.delivered_at IS NOT NULL "
    f"AND d.unread_since IS NULL AND ({MAY_HOLD}))) AS told_at "
    f"FROM {models.notices.fullname} n JOIN {models.deliveries.fullname} d USING (notice_id) "
    "CROSS JOIN LATERAL (SELECT n.role UNION SELECT i.role FROM notify.stand_ins i "
    "WHERE i.notice_id = n.notice_id) AS r(role) "
    "WHERE n.referral_id = ANY(CAST(:ids AS text[])) AND n.series = 'received' "
    "AND n.kind IN ('original', 'correction') GROUP BY 1, 2, 3, 4 "
    "HAVING bool_or(d.delivered_at IS NOT NULL OR d.opened_at IS NOT NULL "
    "OR d.state IN ('pending', 'blocked', 'attempting', 'delivered')) ORDER BY 1, 2, 3, 4"
)
_ACCEPTED = text(
    "SELECT referral_id, min(accepted_at) AS accepted_at "
    f"FROM {models.plans.fullname} WHERE referral_id = ANY(CAST(:ids AS text[])) GROUP BY 1"
)


async def file(
    session: Session,
    tasks: Sequence[NewTask],
    data: ClockBreached | ClockApproaching,
    now: datetime,
    *,
    apart: bool = False,
) -> None:
    """A desk's clock joins the open task of its kind that the desk has of the referral; else it is
    a new one, and always with `apart`. Each clock once, however often it is told."""
    if not tasks:
        return
    kind, abouts = tasks[0].kind.value, [each.about for each in tasks]
    known = await session.scalars(_KNOWN, {"kind": kind, "abouts": abouts})
    places = {} if apart else await _open(session, kind, data.referral_id)
    fresh = [each for each in tasks if each.about not in known]
    for each in fresh:
        if each.desk in places:
            await session.execute(
                _JOIN,
                {
                    "detail": each.detail.removesuffix(for_desk(each.desk)),
                    "task_id": places[each.desk],
                },
            )
    filed = [each for each in fresh if each.desk not in places]
    await task_store.file_tasks(session, filed, now)
    values = {"kind": kind, "abouts": [each.about for each in filed]}
    found = {row.about: row.task_id for row in await session.execute(_FILED, values)}
    await _add(
        session, [(each, found.get(each.about) or places[each.desk]) for each in fresh], data
    )


async def _open(session: Session, kind: str, referral_id: str) -> dict[str | None, str]:
    """The referral's open task of each desk, locked."""
    rows = await session.execute(_OPEN, {"kind": kind, "referral_id": referral_id})
    return {row.desk: row.task_id for row in rows}


async def _add(
    session: Session,
    placed: Sequence[tuple[NewTask, str]],
    data: ClockBreached | ClockApproaching,
) -> None:
    if not placed:
        return
    rows = [
        {
            "kind": each.kind.value,
            "about": each.about,
            "task_id": task_id,
            "referral_id": data.referral_id,
            "child_id": data.child_id,
            "policy": data.policy,
            "role": None if data.role is None else data.role.value,
            "due_at": data.due_at,
        }
        for each, task_id in placed
    ]
    await session.execute(_ADDED.statement, _ADDED.values(rows))


async def clocks_of(session: Session, task_ids: Sequence[str]) -> Mapping[str, Sequence[Clock]]:
    """Of each task, the first that ran out first."""
    found: dict[str, list[Clock]] = defaultdict(list)
    for row in await session.execute(_CLOCKS_OF, {"ids": list(task_ids)}):
        found[row.task_id].append(Clock(row.child_id, row.policy, row.role, row.due_at))
    return found


async def known_of(session: Session, referral_ids: Sequence[str]) -> Mapping[str, Known]:
    """Of each referral, who must be told and since when each is, and when intake accepted it."""
    ids = {"ids": sorted(set(referral_ids))}
    legs: dict[str, list[Leg]] = defaultdict(list)
    for row in await session.execute(_LEGS, ids):
        legs[row.referral_id].append(Leg(row.child_id, row.role, row.told_at))
    accepted = {row.referral_id: row.accepted_at for row in await session.execute(_ACCEPTED, ids)}
    return {each: Known(legs[each], accepted.get(each)) for each in ids["ids"]}


async def note(session: Session, data: BreachCorrected, about: str, sentence: str) -> None:
    """Add a sentence to the task of this breach, or to each desk's task of it, once."""
    values = {"kind": TaskKind.BREACHED.value, "referral_id": data.referral_id, "about": about}
    await session.execute(_NOTE, values | {"note": sentence})
