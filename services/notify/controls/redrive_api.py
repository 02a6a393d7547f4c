"""The HTTP API of redrives: a dry run, the job, its progress."""

from typing import Annotated, assert_never

from fastapi import APIRouter, Depends, Response

from services.notify.api import must_be
from services.notify.controls import redrive_store, redriving
from services.notify.controls.redrives import (
    Found,
    Looked,
    NeedsApproval,
    NoSuchAgency,
    NothingToSend,
    Started,
    Wanted,
)
from services.notify.controls.schemas import (
    FoundOut,
    RedriveAnswer,
    RedriveIn,
    RedriveOut,
    RedrivesOut,
)
from services.notify.proposals.api import a_person_only, own_people_only
from shared.runtime.auth import Principal, require
from shared.runtime.db import Database
from shared.runtime.ids import utc_now
from shared.runtime.problem import Problem, not_found

_MOST = 100

Reader = Annotated[Principal, Depends(require("controls:read"))]
Redriver = Annotated[Principal, Depends(require("controls:redrive"))]


def redrive_router(db: Database) -> APIRouter:
    routes = APIRouter()
    _add_reads(routes, db)
    _add_steps(routes, db)
    return routes


def _add_reads(routes: APIRouter, db: Database) -> None:
    @routes.get("/v1/redrives")
    async def redrives(reader: Reader) -> RedrivesOut:
        """The newest first, each with how far it has come."""
        own_people_only(reader)
        async with db.transaction() as session:
            found = await redrive_store.newest(session, _MOST)
        return RedrivesOut(redrives=[RedriveOut.model_validate(each) for each in found])

    @routes.get("/v1/redrives/{redrive_id}")
    async def redrive(redrive_id: str, reader: Reader) -> RedriveOut:
        own_people_only(reader)
        must_be("rdv", redrive_id)
        async with db.transaction() as session:
            found = await redrive_store.get(session, redrive_id)
        if found is None:
            raise not_found()
        return RedriveOut.model_validate(found)


def _add_steps(routes: APIRouter, db: Database) -> None:
    @routes.post("/v1/redrives", status_code=201)
    async def ask(
        body: RedriveIn, person: Redriver, answer: Response, dry_run: bool = False
    ) -> RedriveAnswer:
        """201: it has begun. 202: it is so many that another person must approve `proposal_id`.
        200, with `dry_run`: nothing was begun."""
        a_person_only(person)
        wanted = Wanted(**body.model_dump())
        async with db.transaction() as session:
            outcome = await redriving.ask(
                session, wanted, by=person.subject, now=utc_now(), dry_run=dry_run
            )
        match outcome:
            case Started(found, redrive):
                return _answer(found, redrive=RedriveOut.model_validate(redrive))
            case Looked(found):
                answer.status_code = 200
                return _answer(found)
            case NeedsApproval(found, proposal_id):
                answer.status_code = 202
                return _answer(found, proposal_id=proposal_id)
            case NothingToSend():
                raise Problem(409, "Conflict", "There is nothing to send again in that period.")
            case NoSuchAgency():
                raise not_found()
            case _:
                assert_never(outcome)

    @routes.post("/v1/redrives/{redrive_id}/cancel")
    async def cancel(redrive_id: str, person: Redriver) -> RedriveOut:
        """What is queued is sent; nothing more is."""
        a_person_only(person)
        must_be("rdv", redrive_id)
        async with db.transaction() as session:
            over = not await redrive_store.cancel(
                session, redrive_id, by=person.subject, now=utc_now()
            )
            found = await redrive_store.get(session, redrive_id)
        if found is None:
            raise not_found()
        if over:
            raise Problem(409, "Conflict", "It was over already.")
        return RedriveOut.model_validate(found)


def _answer(
    found: Found, *, redrive: RedriveOut | None = None, proposal_id: str | None = None
) -> RedriveAnswer:
    shown = FoundOut.model_validate(found)
    return RedriveAnswer(found=shown, redrive=redrive, proposal_id=proposal_id)
