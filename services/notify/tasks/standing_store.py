"""SQL of what the tasks `unreachable` and `held` are about, as it is by now. It only reads."""

from collections.abc import Sequence

from sqlalchemy import text

from services.notify import models
from services.notify.controls import tables as control_tables
from services.notify.directory import tables as directory_tables
from services.notify.tasks import tables as task_tables
from services.notify.tasks.standing_tasks import Paused, Unreached
from services.notify.tasks.task import TaskKind
from shared.runtime.db import Session

_DELIVERIES = models.deliveries.fullname
_UNREACHED = text(
    "SELECT t.task_id, (SELECT count(*) "
    f"FROM {_DELIVERIES} d WHERE d.agency_id = a.agency_id AND d.delivered_at IS NULL "
    "AND d.state IN ('pending', 'blocked', 'attempting')) AS waiting, "
    "a.consecutive_failures > 0 AS failing, "
    f"(SELECT min(d.delivered_at) FROM {_DELIVERIES} d WHERE d.agency_id = a.agency_id "
    "AND d.delivered_at > t.created_at) AS taken_since "
    f"FROM {task_tables.tasks.fullname} t JOIN {directory_tables.agencies.fullname} a "
    "ON a.agency_id = split_part(t.about, ' ', 1) "
    f"WHERE t.kind = '{TaskKind.UNREACHABLE.value}' AND t.task_id = ANY(CAST(:ids AS text[]))"
)
_PAUSED = text(
    "SELECT t.task_id, h.lifted_at "
    f"FROM {task_tables.tasks.fullname} t JOIN {control_tables.halts.fullname} h "
    "ON h.halt_id = t.about "
    f"WHERE t.kind = '{TaskKind.HELD.value}' AND t.task_id = ANY(CAST(:ids AS text[]))"
)
STANDING = (TaskKind.UNREACHABLE.value, TaskKind.HELD.value)


async def standing_of(session: Session, task_ids: Sequence[str]) -> dict[str, Unreached | Paused]:
    """By task."""
    unreached = await session.execute(_UNREACHED, {"ids": list(task_ids)})
    found: dict[str, Unreached | Paused] = {
        row.task_id: Unreached(row.waiting, row.failing, row.taken_since) for row in unreached
    }
    paused = await session.execute(_PAUSED, {"ids": list(task_ids)})
    return found | {row.task_id: Paused(row.lifted_at) for row in paused}


async def open_of(session: Session) -> list[str]:
    """The tasks of these kinds that nobody has acknowledged."""
    query = text(
        f"SELECT task_id FROM {task_tables.tasks.fullname} WHERE acknowledged_at IS NULL "
        "AND kind = ANY(CAST(:kinds AS text[]))"
    )
    return list(await session.scalars(query, {"kinds": list(STANDING)}))
