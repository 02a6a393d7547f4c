"""The HTTP API of halts: who has stopped what, why, and resuming it."""

from typing import Annotated, assert_never

from fastapi import APIRouter, Depends, Query, Response

from services.notify.api import must_be
from services.notify.controls import halt_store, halting
from services.notify.controls.halts import Cause, Lifted, LiftedBefore, NeedsSecond, NoSuchHalt
from services.notify.controls.schemas import HaltIn, HaltOut, HaltsOut, LiftIn, LiftOut
from services.notify.proposals.api import a_person_only, own_people_only
from shared.runtime.auth import Principal, require
from shared.runtime.db import Database
from shared.runtime.ids import utc_now
from shared.runtime.problem import Problem, not_found

_MOST = 200

Reader = Annotated[Principal, Depends(require("controls:read"))]
Halter = Annotated[Principal, Depends(require("controls:halt"))]
Lifter = Annotated[Principal, Depends(require("controls:lift"))]


def halt_router(db: Database) -> APIRouter:
    routes = APIRouter()

    @routes.get("/v1/halts")
    async def halts(
        reader: Reader, only_open: Annotated[bool, Query(alias="open")] = False
    ) -> HaltsOut:
        """The newest first."""
        own_people_only(reader)
        async with db.transaction() as session:
            found = await halt_store.list_halts(session, only_open=only_open, limit=_MOST)
        return HaltsOut(halts=[HaltOut.model_validate(each) for each in found])

    @routes.post("/v1/halts", status_code=201)
    async def halt(body: HaltIn, person: Halter) -> HaltOut:
        """When this has answered, nothing more that it covers leaves, but for what was claimed
        before: its record is committed. Nothing is dropped. Twice is once."""
        a_person_only(person)
        cause = Cause.STOP if body.everything else Cause.PAUSE
        async with db.transaction() as session:
            made = await halting.halt(
                session,
                cause,
                body.agency_id,
                reason=body.reason,
                by=person.subject,
                now=utc_now(),
            )
        if made is None:
            raise not_found()
        return HaltOut.model_validate(made)

    @routes.post("/v1/halts/{halt_id}/lift")
    async def lift(halt_id: str, body: LiftIn, person: Lifter, answer: Response) -> LiftOut:
        """Resume. 202: of a restored database it takes a second person, see `proposal_id`."""
        a_person_only(person)
        must_be("hlt", halt_id)
        async with db.transaction() as session:
            outcome = await halting.lift(
                session, halt_id, by=person.subject, why=body.reason, now=utc_now()
            )
        match outcome:
            case Lifted(halt):
                return LiftOut(halt=HaltOut.model_validate(halt), proposal_id=None)
            case NeedsSecond(proposal_id):
                answer.status_code = 202
                return LiftOut(halt=None, proposal_id=proposal_id)
            case LiftedBefore():
                raise Problem(409, "Conflict", "It has been lifted already.")
            case NoSuchHalt():
                raise not_found()
            case _:
                assert_never(outcome)

    return routes
