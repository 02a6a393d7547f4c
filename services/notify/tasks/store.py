"""All SQL of tasks. Nothing here commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, or_, select, text, tuple_, update

from services.notify import models
from services.notify.tasks import tables as task_tables
from services.notify.tasks.parked_detail import parked_detail
from services.notify.tasks.task import NewTask, TaskKind
from shared.messaging.parked import list_parked
from shared.runtime.bulk import Bulk, Into
from shared.runtime.db import Session
from shared.runtime.ids import new_id

_T = task_tables.tasks.c
_FILED = Bulk(
    Into(
        task_tables.tasks,
        ("task_id", "kind", "about", "referral_id", "detail", "desk", "created_at"),
        once=True,
    )
)


@dataclass(frozen=True, slots=True)
class Task:
    task_id: str
    kind: str
    about: str
    referral_id: str | None
    detail: str
    created_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    desk: str | None
    acknowledged_for: str | None


async def file_tasks(session: Session, tasks: Sequence[NewTask], now: datetime) -> None:
    """File each once per kind and matter; what is on file already stays as it is."""
    if any(task.leg for task in tasks):
        tasks = await _without_open_legs(session, tasks)
    if not tasks:
        return
    rows = [
        {
            "task_id": new_id("tsk"),
            "kind": task.kind.value,
            "about": task.about,
            "referral_id": task.referral_id,
            "detail": task.detail,
            "desk": task.desk,
            "created_at": now,
        }
        for task in tasks
    ]
    await session.execute(_FILED.statement, _FILED.values(rows))


async def _without_open_legs(session: Session, tasks: Sequence[NewTask]) -> list[NewTask]:
    """Without those of whose leg another one is open, here or on file."""
    rows = await session.execute(
        text(
            f"SELECT kind, about FROM {task_tables.tasks.fullname} WHERE acknowledged_at IS NULL "
            "AND referral_id = ANY(CAST(:ids AS text[]))"
        ),
        {"ids": sorted({task.referral_id or "" for task in tasks if task.leg})},
    )
    open_ones = [(row.kind, row.about) for row in rows]
    kept = []
    for task in tasks:
        leg, kind = task.leg, task.kind.value
        if leg and any(kind == each and about.startswith(leg) for each, about in open_ones):
            continue
        open_ones.append((kind, task.about))
        kept.append(task)
    return kept


async def file_parked(session: Session) -> int:
    """A task for every parked subject that has none. How many were new.

    Parked again after a replay is a new matter: the time of parking is part of it.
    """
    parked = await list_parked(session, models.INBOX)
    if not parked:
        return 0
    filed = await session.execute(
        text(
            f"INSERT INTO {task_tables.tasks.fullname} "
            "(task_id, kind, about, referral_id, detail, created_at) "
            "SELECT 'tsk_' || replace(CAST(gen_random_uuid() AS text), '-', ''), :kind, "
            "concat_ws('|', topic, source, subject, extract(epoch FROM parked_at)), subject, "
            f"detail, parked_at FROM {models.INBOX.streams.fullname} JOIN unnest("
            "CAST(:topics AS text[]), CAST(:sources AS text[]), CAST(:subjects AS text[]), "
            "CAST(:details AS text[])) AS told(topic, source, subject, detail) "
            "USING (topic, source, subject) WHERE parked_at IS NOT NULL "
            "ON CONFLICT (kind, about) DO NOTHING RETURNING 1"
        ),
        {
            "kind": TaskKind.PARKED.value,
            "topics": [each.topic for each in parked],
            "sources": [each.source for each in parked],
            "subjects": [each.subject for each in parked],
            "details": [parked_detail(each) for each in parked],
        },
    )
    return len(filed.all())


async def list_tasks(
    session: Session, *, only_open: bool, after: str | None, limit: int, desk: str | None = None
) -> list[Task]:
    """The oldest first, from behind the task `after`; of one desk alone, if it is named."""
    query = select(task_tables.tasks).order_by(_T.created_at, _T.task_id).limit(limit)
    if only_open:
        query = query.where(_T.acknowledged_at.is_(None))
    if desk is not None:
        query = query.where(_T.desk == desk)
    if after is not None:
        mark = select(_T.created_at, _T.task_id).where(_T.task_id == after).scalar_subquery()
        query = query.where(tuple_(_T.created_at, _T.task_id) > mark)
    return [_task(row) for row in await session.execute(query)]


async def get(session: Session, task_id: str) -> Task | None:
    query = select(task_tables.tasks).where(_T.task_id == task_id)
    row = (await session.execute(query)).first()
    return None if row is None else _task(row)


async def details(session: Session, referral_id: str, kinds: Sequence[TaskKind]) -> list[str]:
    """What the referral's tasks of these kinds say, acknowledged or not, the oldest first."""
    rows = await session.execute(
        text(
            f"SELECT detail FROM {task_tables.tasks.fullname} WHERE referral_id = :referral_id "
            "AND kind = ANY(CAST(:kinds AS text[])) ORDER BY created_at, kind, about"
        ),
        {"referral_id": referral_id, "kinds": [kind.value for kind in kinds]},
    )
    return [row.detail for row in rows]


async def acknowledge(session: Session, task_id: str, person: str, now: datetime) -> Task | None:
    """The task afterwards, whoever has acknowledged it first; None when there is no such task."""
    row = (
        await session.execute(
            update(task_tables.tasks)
            .where(
                _T.task_id == task_id,
                or_(_T.acknowledged_by.is_(None), _T.acknowledged_by == person),
            )
            .values(
                acknowledged_at=func.coalesce(_T.acknowledged_at, now),
                acknowledged_by=person,
            )
            .returning(*_T)
        )
    ).first()
    return await get(session, task_id) if row is None else _task(row)


async def take_for_desk(session: Session, task_id: str) -> Task:
    """Keep that whoever has acknowledged it does not stand for its desk."""
    row = (
        await session.execute(
            update(task_tables.tasks)
            .where(_T.task_id == task_id)
            .values(acknowledged_for=_T.desk)
            .returning(*_T)
        )
    ).one()
    return _task(row)


def _task(row: Row[Any]) -> Task:
    return Task(**dict(row))
