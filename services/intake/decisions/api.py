"""The HTTP routes of decisions, form DCF-823, withdrawals and links."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, assert_never

from fastapi import APIRouter, Depends, Request, Response

from services.intake.access import NotTheirs, theirs
from services.intake.asking import asked, read_body
from services.intake.decisions import deciding, incidents, linking, store
from services.intake.decisions.deciding import Deciding
from services.intake.decisions.incidents import IncidentChange, Incidents
from services.intake.decisions.linking import LinkedAlready, Linking, NoOpenCase
from services.intake.decisions.reading import FileQuestion, ReadingFiles
from services.intake.decisions.records import File
from services.intake.decisions.rules import Known, Outdated, Withdrawn
from services.intake.decisions.schemas import NewDecision, NewLink, NewWithdrawal, Reading
from services.intake.decisions.withdrawing import Withdrawing, WithdrawnAlready
from services.intake.inputs import (
    expected_versions,
    idempotency_key,
    json_body,
    opaque_id,
    referral_id,
    refusing,
)
from services.intake.once import Answer
from services.intake.receiving import KeyReused, Received, StillOpen
from services.intake.referrals import Stale
from services.intake.replies import answered, conflict, created, only_a_person, reply
from services.intake.retrying import until_known
from shared.runtime.auth import Principal, require
from shared.runtime.db import Database
from shared.runtime.ids import new_id, utc_now
from shared.runtime.problem import Problem, not_found

Decider = Annotated[Principal, Depends(require("decisions:write"))]
Asker = Annotated[Principal, Depends(require("decisions:status"))]
Reader = Annotated[Principal, Depends(require("decisions:read"))]
Withdrawer = Annotated[Principal, Depends(require("referrals:withdraw"))]
Linker = Annotated[Principal, Depends(require("referrals:link"))]
Amender = Annotated[Principal, Depends(require("incidents:amend"))]
Creator = Annotated[Principal, Depends(require("referrals:create"))]


@dataclass(frozen=True, slots=True)
class DecisionDesk:
    """What these routes stand on."""

    db: Database
    deciding: Deciding
    incidents: Incidents
    withdrawing: Withdrawing
    linking: Linking
    reading: ReadingFiles


def routes(desk: DecisionDesk) -> APIRouter:
    """Every route of decisions."""
    router = APIRouter()

    @router.post("/v1/referrals/{referral_id}/decisions", status_code=201)
    async def decide(request: Request, caller: Decider) -> Response:
        """A person accepts a referral or does not, or reverses that. Who was told stays told."""
        only_a_person(caller)
        subject = referral_id(request)
        ask, wanted = await asked(request, caller, NewDecision)
        with refusing():
            return _answered(await desk.deciding.decide(ask, subject, wanted))

    @router.get("/v1/referrals/{referral_id}/decisions")
    async def history(request: Request, caller: Asker) -> Response:
        """Decisions, incidents and withdrawal: codes, ids, who and when; never a narrative."""
        subject = referral_id(request)
        found = await until_known(partial(_file, desk.db, subject, caller))
        if found is None:
            raise not_found()
        return reply(deciding.describe(found))

    @router.post("/v1/referrals/{referral_id}/decisions/readings")
    async def read(request: Request, caller: Reader) -> Response:
        """Reasons in words and form DCF-823, for a person. The read is on record before it."""
        only_a_person(caller)
        subject = referral_id(request)
        _, why = await read_body(request, Reading)
        question = FileQuestion(
            new_id("dsc"), subject, caller, why.purpose, why.authority, utc_now()
        )
        content = await desk.reading.read(question)
        if isinstance(content, NotTheirs):
            raise not_found()
        return reply(content)

    @router.patch("/v1/critical-incidents/{incident_id}")
    async def amend(request: Request, caller: Amender) -> Response:
        """A person amends form DCF-823 by JSON Merge Patch. Needs If-Match with its version."""
        only_a_person(caller)
        incident = opaque_id(request, "incident_id", "inc")
        expected = expected_versions(request)
        patch = await json_body(request)
        change = IncidentChange(incident, caller.subject, expected, patch, utc_now())
        with refusing():
            outcome = await desk.incidents.amend(change)
        return _amended(outcome)

    @router.post("/v1/referrals/{referral_id}/withdrawal", status_code=201)
    async def withdraw(request: Request, caller: Withdrawer) -> Response:
        """A person withdraws a referral, with the cause. It still reads."""
        only_a_person(caller)
        subject = referral_id(request)
        ask, wanted = await asked(request, caller, NewWithdrawal)
        return _answered(await desk.withdrawing.withdraw(ask, subject, wanted))

    _link_routes(router, desk)
    return router


def _link_routes(router: APIRouter, desk: DecisionDesk) -> None:
    @router.post("/v1/referrals/{referral_id}/links", status_code=201)
    async def link(request: Request, caller: Linker) -> Response:
        """Relate a referral to another; both stay what they are."""
        subject = referral_id(request)
        ask, wanted = await asked(request, caller, NewLink)
        with refusing():
            return _answered(await desk.linking.link(ask, subject, caller, wanted))

    @router.get("/v1/referrals/{referral_id}/links")
    async def links(request: Request, caller: Linker) -> Response:
        """The referrals that this one is linked to, from either side."""
        found = await desk.linking.links(referral_id(request), caller)
        if isinstance(found, NotTheirs):
            raise not_found()
        return reply(linking.describe(found))

    @router.post("/v1/referrals/{referral_id}/allegations", status_code=201)
    async def refer(request: Request, caller: Creator) -> Response:
        """A worker on an open case tells the Careline of a new allegation: a new referral,
        linked. The answers are those of POST /v1/referrals."""
        subject, key = referral_id(request), idempotency_key(request)
        body = await json_body(request)
        with refusing():
            outcome = await desk.linking.refer(subject, caller, key, body, utc_now())
        return _referred(outcome)


async def _file(db: Database, subject: str, caller: Principal) -> File | None:
    async with db.transaction() as session:
        if not theirs(caller, await store.owner(session, subject)):
            return None
        return await store.read_file(session, subject)


_Refusal = NotTheirs | Outdated | Withdrawn | WithdrawnAlready | LinkedAlready


def _answered(outcome: Answer | KeyReused | StillOpen | _Refusal) -> Response:
    match outcome:
        case Answer() | KeyReused() | StillOpen():
            return answered(outcome)
        case NotTheirs():
            raise not_found()
        case Outdated():
            raise conflict("Another decision came between: read the decisions, then decide.")
        case Withdrawn():
            raise conflict("The referral is withdrawn: there is nothing left to decide.")
        case WithdrawnAlready():
            raise conflict("The referral is withdrawn already.")
        case LinkedAlready():
            raise conflict("The two are linked by this relation already.")
        case _:
            assert_never(outcome)


def _amended(outcome: Known | Stale | NotTheirs) -> Response:
    match outcome:
        case Known():
            return reply(incidents.describe(outcome), etag=outcome.version)
        case Stale():
            detail = "The form has a newer version: read how it stands, then amend that."
            raise Problem(412, "Precondition Failed", detail)
        case NotTheirs():
            raise not_found()
        case _:
            assert_never(outcome)


def _referred(outcome: Received | NotTheirs | NoOpenCase) -> Response:
    match outcome:
        case NotTheirs():
            raise not_found()
        case NoOpenCase():
            raise conflict("Only an ongoing worker's referral refers a new allegation: link it.")
        case _:
            return created(outcome)
