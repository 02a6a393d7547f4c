"""A named person takes a task, be it their own desk's or another's."""

from datetime import datetime

from services.notify.oncall import roster_store
from services.notify.tasks import store as task_store
from services.notify.tasks.store import Task
from shared.runtime.db import Session


async def acknowledge(session: Session, task_id: str, person: str, now: datetime) -> Task | None:
    """The task afterwards, whoever has taken it first; None when there is no such task. That it is
    another desk's keeps nobody from taking it, and stays on record."""
    task = await task_store.acknowledge(session, task_id, person, now)
    if task is None or task.desk is None or task.acknowledged_by != person:
        return task
    roster = await roster_store.in_force(session, now)
    if roster.stands_for(person, task.desk, task.kind, now):
        return task
    return await task_store.take_for_desk(session, task_id)
