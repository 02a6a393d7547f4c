"""The HTTP routes of law-enforcement operation notices."""

from typing import Annotated, assert_never

from fastapi import APIRouter, Depends, Request, Response

from services.intake.asking import asked
from services.intake.inputs import opaque_id, unprocessable
from services.intake.once import Answer
from services.intake.operations.embargo import LONGEST, Hidden, OutOfTime
from services.intake.operations.noticing import Noticing, OperationQuestion
from services.intake.operations.schemas import NewEnd, NewOperation
from services.intake.receiving import KeyReused, StillOpen
from services.intake.replies import answered, only_a_person, reply
from services.intake.strict_json import Flaw
from shared.runtime.auth import Principal, require
from shared.runtime.ids import new_id, utc_now
from shared.runtime.problem import Problem, not_found

Keeper = Annotated[Principal, Depends(require("operations:create"))]
Reader = Annotated[Principal, Depends(require("operations:read"))]
Ender = Annotated[Principal, Depends(require("operations:end"))]


def routes(noticing: Noticing) -> APIRouter:
    """Every route of operations. An id that a caller may not know is the one 404."""
    router = APIRouter()

    @router.post("/v1/operations", status_code=201)
    async def keep(request: Request, caller: Keeper) -> Response:
        """Keep a notice for the people it names. Needs Idempotency-Key."""
        ask, wanted = await asked(request, caller, NewOperation)
        return _created(await noticing.keep(ask, wanted))

    @router.get("/v1/operations")
    async def mine(request: Request, caller: Reader) -> Response:
        """The operations under way that name the caller: ids and ends."""
        only_a_person(caller)
        return reply(await noticing.mine(caller, utc_now()))

    @router.post("/v1/operations/{operation_id}/content")
    async def read(request: Request, caller: Reader) -> Response:
        """The notice, for a person it names, while it is under way. The read is on record."""
        operation_id = opaque_id(request, "operation_id", "rec")
        question = OperationQuestion(new_id("dsc"), operation_id, caller, utc_now())
        content = await noticing.read(question)
        if content is None:
            raise not_found()
        return reply(content)

    @router.post("/v1/operations/{operation_id}/ends", status_code=201)
    async def end(request: Request, caller: Ender) -> Response:
        """Move the end, or end it now. By a named person; needs Idempotency-Key."""
        operation_id = opaque_id(request, "operation_id", "rec")
        ask, wanted = await asked(request, caller, NewEnd)
        return _created(await noticing.end(ask, caller, operation_id, wanted))

    return router


def _created(outcome: Answer | Hidden | OutOfTime | KeyReused | StillOpen) -> Response:
    match outcome:
        case Hidden():
            raise not_found()
        case OutOfTime():
            raise _out_of_time()
        case Answer() | KeyReused() | StillOpen():
            return answered(outcome)
        case _:
            assert_never(outcome)


def _out_of_time() -> Problem:
    detail = f"must not be in the past, and at most {LONGEST.days} days ahead"
    return unprocessable(Flaw(("expires_at",), detail))
