"""The HTTP routes of calls."""

from dataclasses import dataclass
from typing import Annotated, assert_never

from fastapi import APIRouter, Depends, Request, Response

from services.intake import referrals
from services.intake.access import NotTheirs
from services.intake.asking import asked, read_body
from services.intake.calls import drafts
from services.intake.calls.drafts import Call
from services.intake.calls.keeping import Calls, Over, describe
from services.intake.calls.reading import CallQuestion, ReadingCalls
from services.intake.calls.schemas import Closing, NewCall, Reading
from services.intake.inputs import idempotency_key, json_body, opaque_id, refusing
from services.intake.once import Answer
from services.intake.receiving import KeyReused, Received, StillOpen
from services.intake.replies import answered, conflict, created, only_a_person, reply
from shared.runtime.auth import Principal, require
from shared.runtime.ids import new_id, utc_now
from shared.runtime.problem import not_found

Writer = Annotated[Principal, Depends(require("calls:write"))]
Asker = Annotated[Principal, Depends(require("calls:status"))]
Closer = Annotated[Principal, Depends(require("calls:close"))]
Reader = Annotated[Principal, Depends(require("calls:read"))]


@dataclass(frozen=True, slots=True)
class CallDesk:
    """What these routes stand on."""

    calls: Calls
    reading: ReadingCalls


def routes(desk: CallDesk) -> APIRouter:
    """Every route of calls."""
    router = APIRouter()

    @router.post("/v1/calls", status_code=201)
    async def open_call(request: Request, caller: Writer) -> Response:
        """Open a call. Needs Idempotency-Key; sent again, it gives the first answer again."""
        ask, wanted = await asked(request, caller, NewCall)
        with refusing():
            if wanted.received_at is not None:
                referrals.check_moment(wanted.received_at, ask.now)
            return answered(await desk.calls.open(ask, wanted))

    @router.get("/v1/calls/{call_id}")
    async def status(request: Request, caller: Asker) -> Response:
        """How a call stands, never what was typed."""
        return _call(await desk.calls.status(_id(request), caller))

    @router.put("/v1/calls/{call_id}/draft")
    async def save(request: Request, caller: Writer) -> Response:
        """Keep what was typed so far, in place of what was kept before."""
        call_id = _id(request)
        body = await json_body(request)
        with refusing():
            draft = drafts.partial(body)
        return _call(await desk.calls.save(call_id, caller, draft, utc_now()))

    @router.post("/v1/calls/{call_id}/referral", status_code=201)
    async def finish(request: Request, caller: Writer) -> Response:
        """Make the call a referral: the answers are those of POST /v1/referrals."""
        call_id, key = _id(request), idempotency_key(request)
        patch = await json_body(request)
        with refusing():
            outcome = await desk.calls.finish(call_id, caller, key, patch, utc_now())
        return _finished(outcome)

    @router.post("/v1/calls/{call_id}/closing", status_code=201)
    async def close(request: Request, caller: Closer) -> Response:
        """A person says that a call is no referral, and why."""
        only_a_person(caller)
        call_id = _id(request)
        ask, wanted = await asked(request, caller, Closing)
        return _closed(await desk.calls.close(ask, call_id, caller, wanted))

    @router.post("/v1/calls/{call_id}/readings")
    async def read(request: Request, caller: Reader) -> Response:
        """What was typed, for a person who sees to it. The read is on record before it."""
        only_a_person(caller)
        call_id = _id(request)
        _, why = await read_body(request, Reading)
        question = CallQuestion(
            new_id("dsc"), call_id, caller, why.purpose, why.authority, utc_now()
        )
        content = await desk.reading.read(question)
        if isinstance(content, NotTheirs):
            raise not_found()
        return reply(content)

    return router


def _id(request: Request) -> str:
    return opaque_id(request, "call_id", "cal")


def _call(outcome: Call | NotTheirs | Over) -> Response:
    match outcome:
        case Call():
            return reply(describe(outcome), etag=outcome.version)
        case NotTheirs():
            raise not_found()
        case Over():
            raise conflict("The call is over: it is a referral, or a person has closed it.")
        case _:
            assert_never(outcome)


def _finished(outcome: Received | NotTheirs | Over) -> Response:
    match outcome:
        case NotTheirs() | Over():
            return _call(outcome)
        case _:
            return created(outcome)


def _closed(outcome: Answer | KeyReused | StillOpen | NotTheirs | Over) -> Response:
    match outcome:
        case NotTheirs() | Over():
            return _call(outcome)
        case _:
            return answered(outcome)
