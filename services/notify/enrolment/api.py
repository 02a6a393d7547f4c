"""The HTTP API of enrolment: staff invite, confirm and propose; the agency submits."""

from typing import Annotated, assert_never

from fastapi import APIRouter, Depends

from services.notify.api import must_be
from services.notify.enrolment import enrolment_store
from services.notify.enrolment.enrolling import (
    Done,
    Enrolling,
    Nothing,
    Outcome,
    Refused,
    WrongCode,
)
from services.notify.enrolment.schemas import (
    ConfirmationIn,
    EnrolmentOut,
    EnrolmentsOut,
    GoLiveIn,
    InvitationIn,
    InvitedOut,
    SubmissionIn,
    SubmittedOut,
)
from services.notify.enrolment.steps import Enrolment
from services.notify.proposals.api import a_person_only, own_people_only
from shared.runtime.auth import Principal, require
from shared.runtime.db import Database
from shared.runtime.ids import utc_now
from shared.runtime.problem import Problem, not_found

_MOST = 200
_ID = "enr"

Reader = Annotated[Principal, Depends(require("enrolment:read"))]
Inviter = Annotated[Principal, Depends(require("enrolment:manage"))]
Confirmer = Annotated[Principal, Depends(require("enrolment:confirm"))]
Submitter = Annotated[Principal, Depends(require("enrolment:submit"))]


def enrolment_router(db: Database, enrolling: Enrolling) -> APIRouter:
    routes = APIRouter()
    _add_staff_routes(routes, db, enrolling)
    _add_agency_routes(routes, enrolling)
    return routes


def _add_staff_routes(routes: APIRouter, db: Database, enrolling: Enrolling) -> None:
    @routes.get("/v1/enrolments")
    async def enrolments(reader: Reader) -> EnrolmentsOut:
        """The newest first."""
        own_people_only(reader)
        async with db.transaction() as session:
            found = await enrolment_store.newest(session, _MOST)
        return EnrolmentsOut(enrolments=[EnrolmentOut.of(each, utc_now()) for each in found])

    @routes.post("/v1/enrolments", status_code=201)
    async def invite(body: InvitationIn, person: Inviter) -> InvitedOut:
        """Invite an agency on file. An invitation that was open ends with it."""
        a_person_only(person)
        made = await enrolling.invite(body.agency_id, person.subject)
        if isinstance(made, Nothing):
            raise not_found()
        shown = EnrolmentOut.of(made.enrolment, utc_now()).model_dump()
        return InvitedOut.model_validate(shown | {"code": made.code})

    @routes.post("/v1/enrolments/{enrolment_id}/challenge")
    async def challenge(enrolment_id: str, person: Inviter) -> EnrolmentOut:
        """Ask the endpoint for what only the key opens."""
        a_person_only(person)
        must_be(_ID, enrolment_id)
        return _out(await enrolling.prove(enrolment_id))

    @routes.post("/v1/enrolments/{enrolment_id}/confirmation")
    async def confirm(enrolment_id: str, body: ConfirmationIn, person: Confirmer) -> EnrolmentOut:
        """The fingerprint, by another person than who invited the agency."""
        a_person_only(person)
        must_be(_ID, enrolment_id)
        return _out(await enrolling.confirm(enrolment_id, body.fingerprint, person.subject))

    @routes.post("/v1/enrolments/{enrolment_id}/test")
    async def test(enrolment_id: str, person: Inviter) -> EnrolmentOut:
        """Send a notice about nobody."""
        a_person_only(person)
        must_be(_ID, enrolment_id)
        return _out(await enrolling.test(enrolment_id))

    @routes.post("/v1/enrolments/{enrolment_id}/proposal")
    async def propose(enrolment_id: str, body: GoLiveIn, person: Inviter) -> EnrolmentOut:
        """Go live: in force when another person has approved `proposal_id`."""
        a_person_only(person)
        must_be(_ID, enrolment_id)
        return _out(await enrolling.propose(enrolment_id, reason=body.reason, by=person.subject))

    @routes.post("/v1/enrolments/{enrolment_id}/end")
    async def end(enrolment_id: str, person: Inviter) -> EnrolmentOut:
        a_person_only(person)
        must_be(_ID, enrolment_id)
        return _out(await enrolling.end(enrolment_id, person.subject))


def _add_agency_routes(routes: APIRouter, enrolling: Enrolling) -> None:
    @routes.post("/v1/enrolments/{enrolment_id}/submission")
    async def submit(enrolment_id: str, body: SubmissionIn, agency: Submitter) -> SubmittedOut:
        """The agency's endpoint and key. Its token says which agency it is; the code, that it was
        invited."""
        agency_id = _agency(agency)
        must_be(_ID, enrolment_id)
        outcome = await enrolling.submit(
            enrolment_id,
            agency_id,
            body.code,
            body.endpoint,
            body.encryption_key,
            by=agency.subject,
        )
        match outcome:
            case Done(enrolment):
                return _to_agency(enrolment)
            case Refused(why):
                raise Problem(409, "Conflict", why)
            case WrongCode():
                raise Problem(403, "Forbidden", "The code is not valid, or not valid any more.")
            case Nothing():
                raise not_found()
            case _:
                assert_never(outcome)

    @routes.post("/v1/enrolments/{enrolment_id}/proof")
    async def prove(enrolment_id: str, agency: Submitter) -> SubmittedOut:
        """Send the challenge now: the endpoint is ready."""
        agency_id = _agency(agency)
        must_be(_ID, enrolment_id)
        return _to_agency(_done(await enrolling.prove(enrolment_id, agency_id)))


def _agency(principal: Principal) -> str:
    if principal.agency is None:
        raise Problem(403, "Forbidden", "This is for the agency itself.")
    return principal.agency


def _to_agency(found: Enrolment) -> SubmittedOut:
    return SubmittedOut(
        enrolment_id=found.enrolment_id,
        step=found.step(utc_now()).value,
        fingerprint=found.thumbprint,
    )


def _out(outcome: Outcome) -> EnrolmentOut:
    return EnrolmentOut.of(_done(outcome), utc_now())


def _done(outcome: Outcome) -> Enrolment:
    match outcome:
        case Done(enrolment):
            return enrolment
        case Refused(why):
            raise Problem(409, "Conflict", why)
        case Nothing():
            raise not_found()
        case _:
            assert_never(outcome)
