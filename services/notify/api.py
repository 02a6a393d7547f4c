"""The HTTP API: a referral's notices, the tasks of persons, and the watermark for deadlines."""

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from services.notify import leg_store, models
from services.notify.legs import as_its_agency_sees
from services.notify.schemas import NoticeOut, NoticesOut, TaskOut, TasksOut
from services.notify.tasks import acknowledging
from services.notify.tasks import store as task_store
from services.notify.tasks.telling import as_of_now
from shared.contracts.base import Topic
from shared.messaging.watermark import watermark_routes
from shared.runtime.auth import Principal, require
from shared.runtime.db import Database
from shared.runtime.ids import utc_now
from shared.runtime.problem import Problem, not_found

_PAGE = 100
_NO = ("false", "0", "no")

EVERYBODYS = "notices:read-all"
Reader = Annotated[Principal, Depends(require("notices:read"))]
TaskReader = Annotated[Principal, Depends(require("tasks:read"))]
Acknowledger = Annotated[Principal, Depends(require("tasks:acknowledge"))]


def router(db: Database) -> APIRouter:
    """Every route of notify but the probes."""
    routes = APIRouter()

    @routes.get("/v1/referrals/{referral_id}/notices")
    async def notices(referral_id: str, reader: Reader) -> NoticesOut:
        """All legs of a referral; an agency sees its own and of the rest not even that they are."""
        must_be_scoped(reader)
        must_be("ref", referral_id)
        async with db.transaction() as session:
            found = await leg_store.legs_of(session, referral_id, reader.agency)
        if reader.agency is not None:
            found = as_its_agency_sees(found)
        if not found:
            raise not_found()
        legs = [NoticeOut.model_validate(leg) for leg in found]
        return NoticesOut(referral_id=referral_id, notices=legs)

    @routes.get("/v1/tasks")
    async def tasks(
        reader: TaskReader,
        only_open: Annotated[str | None, Query(alias="open", max_length=5)] = None,
        after: Annotated[str | None, Query(pattern=r"^tsk_[0-9a-f]{32}$")] = None,
        limit: Annotated[int, Query(ge=1, le=_PAGE)] = _PAGE,
        desk: Annotated[str | None, Query(max_length=100)] = None,
    ) -> TasksOut:
        """The oldest first; with `?open` only those that nobody has acknowledged, with `?desk=`
        those of one desk, whoever has acknowledged them."""
        refuse_agencies(reader)
        wanted = only_open is not None and only_open.lower() not in _NO
        async with db.transaction() as session:
            found = await task_store.list_tasks(
                session, only_open=wanted, after=after, limit=limit + 1, desk=desk
            )
            shown = await as_of_now(session, found[:limit])
        page = [TaskOut.model_validate(task) for task in shown]
        return TasksOut(tasks=page, next=page[-1].task_id if len(found) > limit else None)

    @routes.get("/v1/tasks/{task_id}")
    async def task(task_id: str, reader: TaskReader) -> TaskOut:
        """One of them: where a page's link leads."""
        refuse_agencies(reader)
        must_be("tsk", task_id)
        async with db.transaction() as session:
            found = await task_store.get(session, task_id)
            shown = [] if found is None else await as_of_now(session, [found])
        if not shown:
            raise not_found()
        return TaskOut.model_validate(shown[0])

    @routes.post("/v1/tasks/{task_id}/acknowledge")
    async def acknowledge(task_id: str, person: Acknowledger) -> TaskOut:
        """A named person takes the task. Again by the same person: the same answer. `detail` and
        `acknowledged_for` say so when it is of a desk for which the person does not stand."""
        refuse_agencies(person)
        must_be_a_person(person, "acknowledge a task")
        must_be("tsk", task_id)
        async with db.transaction() as session:
            task = await acknowledging.acknowledge(session, task_id, person.subject, utc_now())
            found = [] if task is None else await as_of_now(session, [task])
        if task is None:
            raise not_found()
        if task.acknowledged_by != person.subject:
            raise Problem(409, "Conflict", "Somebody else has acknowledged this task already.")
        return TaskOut.model_validate(found[0])

    routes.include_router(watermark_routes(db, models.OUTBOX, Topic.NOTICES))
    return routes


def must_be(kind: str, opaque_id: str) -> None:
    """What cannot be an id is as unknown as an id that is not there (P10)."""
    if not re.fullmatch(rf"{kind}_[0-9a-f]{{32}}", opaque_id, re.ASCII):
        raise not_found()


def must_be_scoped(reader: Principal) -> None:
    """An agency sees its own legs; whoever acts for none needs the scope to see everybody's."""
    if reader.agency is None and EVERYBODYS not in reader.scopes:
        raise Problem(
            403, "Forbidden", f"The token names no agency: that needs the scope {EVERYBODYS}."
        )


def refuse_agencies(principal: Principal) -> None:
    """What is of all agencies none may see, whatever its token says (P10)."""
    if principal.agency is not None:
        raise Problem(403, "Forbidden", "This is for the department's own people.")


def must_be_a_person(principal: Principal, what: str) -> None:
    if not principal.person:
        raise Problem(403, "Forbidden", f"Only a person can {what}.")
