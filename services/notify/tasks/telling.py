"""Tasks as they are shown: with what is true by now of what they are about."""

from collections.abc import Sequence
from dataclasses import replace

from services.notify.tasks import clock_store, standing_store
from services.notify.tasks.breaches import by_now
from services.notify.tasks.standing_tasks import over
from services.notify.tasks.store import Task
from services.notify.tasks.task import TaskKind
from shared.runtime.db import Session

_OF_CLOCKS = {TaskKind.BREACHED.value, TaskKind.APPROACHING.value}


async def as_of_now(session: Session, tasks: Sequence[Task]) -> list[Task]:
    """The same tasks; those of clocks say who has been told, and when, those of an agency that
    takes nothing and of a halt that it is over, and each whose it was when somebody else has taken
    it."""
    tasks = await _over_by_now(session, [_as_taken(each) for each in tasks])
    ours = {each.task_id: each.referral_id for each in tasks if each.kind in _OF_CLOCKS}
    if not ours:
        return tasks
    clocks = await clock_store.clocks_of(session, list(ours))
    known = await clock_store.known_of(session, [each for each in ours.values() if each])
    said = {
        task_id: by_now(clocks[task_id], known[referral_id])
        for task_id, referral_id in ours.items()
        if task_id in clocks and referral_id is not None
    }
    return [
        replace(each, detail=f"{said[each.task_id]} {each.detail}")
        if each.task_id in said
        else each
        for each in tasks
    ]


async def _over_by_now(session: Session, tasks: list[Task]) -> list[Task]:
    ids = [each.task_id for each in tasks if each.kind in standing_store.STANDING]
    if not ids:
        return tasks
    found = await standing_store.standing_of(session, ids)
    said = {task_id: over(standing) for task_id, standing in found.items()}
    return [
        replace(each, detail=f"{now} {each.detail}") if (now := said.get(each.task_id)) else each
        for each in tasks
    ]


def _as_taken(task: Task) -> Task:
    if task.acknowledged_for is None:
        return task
    said = (
        f"Taken by {task.acknowledged_by}, who does not stand for {task.acknowledged_for}: "
        f"see that {task.acknowledged_for} hears of it."
    )
    return replace(task, detail=f"{task.detail} {said}")
