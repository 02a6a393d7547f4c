"""The HTTP routes of HART consults and recusals."""

from dataclasses import dataclass
from typing import Annotated, assert_never

from fastapi import APIRouter, Depends, Request, Response

from services.intake.asking import asked, read_body
from services.intake.hart.consulting import Consulting
from services.intake.hart.consults import Already, Conflicted, NotTheirs, NotYet, OutOfTime, Step
from services.intake.hart.lifts import Done, SameHands, Unproposed
from services.intake.hart.reading import ConsultReading, Wanted
from services.intake.hart.recusing import Lifted, Recusals
from services.intake.hart.requesting import Requesting
from services.intake.hart.scale import Scales
from services.intake.hart.schemas import (
    Assignment,
    CaseSystemEntry,
    Completion,
    GlassBreak,
    NewRecusal,
    NewRequest,
    Nothing,
    Reading,
)
from services.intake.inputs import opaque_id, unprocessable
from services.intake.once import Answer
from services.intake.receiving import KeyReused, StillOpen
from services.intake.replies import answered, conflict, only_a_person, reply
from services.intake.strict_json import Flaw, canonical
from shared.runtime.auth import Principal, require
from shared.runtime.ids import new_id, utc_now
from shared.runtime.problem import not_found

Requester = Annotated[Principal, Depends(require("consults:request"))]
Assigner = Annotated[Principal, Depends(require("consults:assign"))]
Completer = Annotated[Principal, Depends(require("consults:complete"))]
Enterer = Annotated[Principal, Depends(require("consults:enter"))]
Sharer = Annotated[Principal, Depends(require("consults:share"))]
Asker = Annotated[Principal, Depends(require("consults:status"))]
Reader = Annotated[Principal, Depends(require("consults:read"))]
Breaker = Annotated[Principal, Depends(require("consults:break_glass"))]
Lifter = Annotated[Principal, Depends(require("recusals:lift"))]
LiftConfirmer = Annotated[Principal, Depends(require("recusals:confirm"))]
Barrer = Annotated[Principal, Depends(require("recusals:assert"))]

Outcome = Answer | Already | Conflicted | NotYet | OutOfTime | NotTheirs | KeyReused | StillOpen


@dataclass(frozen=True, slots=True)
class ConsultDesk:
    """What the routes stand on."""

    requesting: Requesting
    consulting: Consulting
    reading: ConsultReading
    recusals: Recusals
    scales: Scales


def routes(desk: ConsultDesk) -> APIRouter:
    """Every route of consults. Every step needs a person and an Idempotency-Key."""
    router = APIRouter()
    _add_steps(router, desk)
    _add_lifts(router, desk.recusals)
    _add_reads(router, desk)
    return router


def _add_steps(router: APIRouter, desk: ConsultDesk) -> None:
    @router.post("/v1/consults", status_code=201)
    async def request_consult(request: Request, caller: Requester) -> Response:
        """Ask for a consult on a child: opens one, or joins the one there is."""
        only_a_person(caller)
        ask, wanted = await asked(request, caller, NewRequest)
        return _created(await desk.requesting.request(ask, wanted), "requested_at")

    @router.post("/v1/consults/{consult_id}/liaisons", status_code=201)
    async def assign(request: Request, caller: Assigner) -> Response:
        """Give a consult to a HART Liaison."""
        only_a_person(caller)
        consult_id = _id(request)
        ask, wanted = await asked(request, caller, Assignment)
        return _created(await desk.consulting.assign(ask, consult_id, wanted))

    @router.post("/v1/consults/{consult_id}/completion", status_code=201)
    async def complete(request: Request, caller: Completer) -> Response:
        """Give the Decision Map level and the narrative. By a liaison who has it."""
        only_a_person(caller)
        consult_id = _id(request)
        ask, wanted = await asked(request, caller, Completion)
        level = desk.scales.level(wanted.level)
        if level is None:
            detail = "must be the code of a level of the current scale: GET /v1/decision-map"
            raise unprocessable(Flaw(("level",), detail))
        outcome = await desk.consulting.complete(ask, consult_id, wanted, level)
        return _created(outcome, "completed_at")

    @router.post("/v1/consults/{consult_id}/entry", status_code=201)
    async def enter(request: Request, caller: Enterer) -> Response:
        """Say that the consult stands in the case system."""
        only_a_person(caller)
        consult_id = _id(request)
        ask, wanted = await asked(request, caller, CaseSystemEntry)
        return _created(await desk.consulting.enter(ask, consult_id, wanted), "entered_at")

    @router.post("/v1/consults/{consult_id}/shares", status_code=201)
    async def share(request: Request, caller: Sharer) -> Response:
        """Ask that the outcome be shared with the MDT."""
        only_a_person(caller)
        consult_id = _id(request)
        ask, _ = await asked(request, caller, Nothing)
        return _created(await desk.consulting.share(ask, consult_id))

    @router.post("/v1/recusals", status_code=201)
    async def bar(request: Request, caller: Barrer) -> Response:
        """Say that somebody has a conflict in a referral; it holds at once."""
        only_a_person(caller)
        ask, wanted = await asked(request, caller, NewRecusal)
        return _created(await desk.recusals.bar(ask, wanted))


def _add_lifts(router: APIRouter, recusals: Recusals) -> None:
    @router.post("/v1/recusals/{recusal_id}/lifting", status_code=201)
    async def propose(request: Request, caller: Lifter) -> Response:
        """Propose to lift a recusal. It holds until another person confirms."""
        only_a_person(caller)
        recusal_id = opaque_id(request, "recusal_id", "rcs")
        ask, _ = await asked(request, caller, Nothing)
        return _lifted(await recusals.propose(ask, recusal_id))

    @router.post("/v1/recusals/{recusal_id}/lifting/confirmation", status_code=201)
    async def confirm(request: Request, caller: LiftConfirmer) -> Response:
        """Lift a recusal, as another person than who proposed that."""
        only_a_person(caller)
        recusal_id = opaque_id(request, "recusal_id", "rcs")
        ask, _ = await asked(request, caller, Nothing)
        return _lifted(await recusals.confirm(ask, recusal_id))


def _lifted(outcome: Lifted) -> Response:
    match outcome:
        case NotTheirs():
            raise not_found()
        case Done():
            raise conflict("That was done before.")
        case Unproposed():
            raise conflict("Nobody has proposed to lift it.")
        case SameHands():
            raise conflict("Another person than who proposed it must confirm.")
        case Answer() | KeyReused() | StillOpen():
            return answered(outcome)
        case _:
            assert_never(outcome)


def _add_reads(router: APIRouter, desk: ConsultDesk) -> None:
    @router.get("/v1/decision-map")
    async def scale(caller: Asker) -> Response:
        """The levels that a consult can come to, and whose scale it is."""
        return reply(canonical(desk.scales.describe()).decode())

    @router.get("/v1/consults/{consult_id}")
    async def status(request: Request, caller: Asker) -> Response:
        """How far a consult is, for its requesters and liaisons: ids and times, never content."""
        person, consult_id = only_a_person(caller), _id(request)
        return _shown(await desk.reading.status(consult_id, person))

    @router.post("/v1/consults/{consult_id}/content")
    async def read(request: Request, caller: Reader) -> Response:
        """A consult with its narratives, for its requesters and liaisons. On record first."""
        person, consult_id = only_a_person(caller), _id(request)
        _, reading = await read_body(request, Reading)
        purpose = reading.purpose.value
        wanted = Wanted(new_id("dsc"), consult_id, person, purpose, utc_now())
        return _shown(await desk.reading.read(wanted))

    @router.post("/v1/consults/{consult_id}/break-glass")
    async def break_glass(request: Request, caller: Breaker) -> Response:
        """A consult for somebody whom it does not concern, with a reason; never for the recused."""
        person, consult_id = only_a_person(caller), _id(request)
        _, broken = await read_body(request, GlassBreak)
        wanted = Wanted(new_id("dsc"), consult_id, person, "break_glass", utc_now(), broken.reason)
        return _shown(await desk.reading.read(wanted))


def _id(request: Request) -> str:
    return opaque_id(request, "consult_id", "con")


def _created(outcome: Outcome, moment: str = "") -> Response:
    match outcome:
        case NotTheirs():
            raise not_found()
        case Already():
            raise conflict("That was done before: new facts need a new request.")
        case Conflicted():
            raise conflict("That person cannot take this consult: choose another.")
        case NotYet():
            raise conflict(_MISSING[outcome.missing])
        case OutOfTime():
            detail = "must not be in the future, and not before the step that it follows"
            raise unprocessable(Flaw((moment,), detail))
        case Answer() | KeyReused() | StillOpen():
            return answered(outcome)
        case _:
            assert_never(outcome)


_MISSING = {Step.COMPLETED: "The consult is not completed yet."}


def _shown(content: str | None) -> Response:
    if content is None:
        raise not_found()
    return reply(content)
