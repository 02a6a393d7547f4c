"""The HTTP routes of HART: consults, the Director's triage, flagged cases."""

from dataclasses import dataclass
from typing import Annotated, assert_never

from fastapi import APIRouter, Depends, Request, Response

from services.intake.asking import asked, read_body
from services.intake.hart import consults_api
from services.intake.hart.consults import Already, NotTheirs, OutOfTime
from services.intake.hart.consults_api import ConsultDesk
from services.intake.hart.flagging import Flagging, FlagQuestion
from services.intake.hart.schemas import FlagLink, NewFlag, NewReview, Reading
from services.intake.hart.triage import Stale, Unread
from services.intake.hart.triaging import Triage
from services.intake.inputs import opaque_id, referral_id, unprocessable, version
from services.intake.once import Answer
from services.intake.receiving import KeyReused, StillOpen
from services.intake.replies import answered, conflict, only_a_person, reply
from services.intake.strict_json import Flaw
from shared.runtime.auth import Principal, require
from shared.runtime.ids import new_id, utc_now
from shared.runtime.problem import not_found

Lister = Annotated[Principal, Depends(require("triage:list"))]
TriageReader = Annotated[Principal, Depends(require("triage:read"))]
Reviewer = Annotated[Principal, Depends(require("triage:review"))]
Flagger = Annotated[Principal, Depends(require("case_flags:create"))]
Linker = Annotated[Principal, Depends(require("case_flags:link"))]
FlagLister = Annotated[Principal, Depends(require("case_flags:list"))]
FlagReader = Annotated[Principal, Depends(require("case_flags:read"))]

Outcome = Answer | Stale | Unread | OutOfTime | Already | NotTheirs | KeyReused | StillOpen


@dataclass(frozen=True, slots=True)
class HartDesk:
    """What the routes stand on."""

    consults: ConsultDesk
    triage: Triage
    flagging: Flagging


def routes(desk: HartDesk) -> APIRouter:
    """Every route of HART."""
    router = consults_api.routes(desk.consults)
    _add_triage(router, desk.triage)
    _add_flags(router, desk.flagging)
    return router


def _add_triage(router: APIRouter, triage: Triage) -> None:
    @router.get("/v1/triage")
    async def waiting(caller: Lister) -> Response:
        """The DCF-737s that wait for the HART Director, oldest first, 200 at most: no content."""
        return reply(await triage.waiting(caller.subject))

    @router.get("/v1/triage/{referral_id}")
    async def reviews(request: Request, caller: Lister) -> Response:
        """Who reviewed a DCF-737 and where it was sent."""
        return _shown(await triage.reviews(referral_id(request), caller.subject))

    @router.post("/v1/triage/{referral_id}/versions/{version}/content")
    async def read(request: Request, caller: TriageReader) -> Response:
        """One version as HART may see it. The read is on record before it is answered."""
        only_a_person(caller)
        subject, number = referral_id(request), version(request)
        _, reading = await read_body(request, Reading)
        purpose = reading.purpose.value
        return _shown(await triage.content(subject, number, caller, purpose, utc_now()))

    @router.post("/v1/triage/{referral_id}/reviews", status_code=201)
    async def review(request: Request, caller: Reviewer) -> Response:
        """Say where a version that the caller has read was sent. Needs Idempotency-Key."""
        only_a_person(caller)
        subject = referral_id(request)
        ask, wanted = await asked(request, caller, NewReview)
        return _created(await triage.review(ask, subject, wanted))


def _add_flags(router: APIRouter, flagging: Flagging) -> None:
    @router.post("/v1/case-flags", status_code=201)
    async def flag(request: Request, caller: Flagger) -> Response:
        """Flag an open case for trafficking characteristics. Needs Idempotency-Key."""
        ask, wanted = await asked(request, caller, NewFlag)
        return _created(await flagging.flag(ask, wanted))

    @router.get("/v1/case-flags")
    async def unlinked(caller: FlagLister) -> Response:
        """Flags without a DCF-737, oldest first, 500 at most: ids and times, never the case."""
        return reply(await flagging.waiting())

    @router.post("/v1/case-flags/{flag_id}/referral", status_code=201)
    async def link(request: Request, caller: Linker) -> Response:
        """Say which DCF-737 a flagged case has. Needs Idempotency-Key."""
        flag_id = opaque_id(request, "flag_id", "rec")
        ask, wanted = await asked(request, caller, FlagLink)
        return _created(await flagging.link(ask, flag_id, wanted))

    @router.post("/v1/case-flags/{flag_id}/content")
    async def read(request: Request, caller: FlagReader) -> Response:
        """Which case was flagged and why. The read is on record before it is answered."""
        person, flag_id = only_a_person(caller), opaque_id(request, "flag_id", "rec")
        _, reading = await read_body(request, Reading)
        purpose = reading.purpose.value
        question = FlagQuestion(new_id("dsc"), flag_id, person, purpose, utc_now())
        return _shown(await flagging.read(question))


def _created(outcome: Outcome) -> Response:
    match outcome:
        case NotTheirs():
            raise not_found()
        case Stale():
            raise conflict("The referral has another version now: read that one, then review it.")
        case Unread():
            raise conflict("Read this version of the referral before you review it.")
        case Already():
            raise conflict("The flagged case has its DCF-737 already.")
        case OutOfTime():
            raise unprocessable(Flaw(("flagged_at",), "must not be in the future"))
        case Answer() | KeyReused() | StillOpen():
            return answered(outcome)
        case _:
            assert_never(outcome)


def _shown(content: str | None) -> Response:
    if content is None:
        raise not_found()
    return reply(content)
