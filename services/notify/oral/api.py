"""The HTTP API of word of mouth: a call, entered by the person who made it."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from services.notify.api import must_be, must_be_a_person, refuse_agencies
from services.notify.oral import entering, telling
from services.notify.oral.entering import Entered, Office
from services.notify.oral.entry_store import Leg
from services.notify.oral.telling import Call
from shared.runtime.auth import Principal, require
from shared.runtime.ids import utc_now
from shared.runtime.problem import Problem, not_found

_SKEW = timedelta(minutes=5)
Teller = Annotated[Principal, Depends(require("notices:tell"))]
Words = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]


class TellingIn(BaseModel):
    """A call. Without the confidentiality warning read it is no lawful telling of a notice."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    told_at: AwareDatetime
    told_to: Words
    """Whom you spoke to. Kept sealed; in no event and no log."""
    warning_read: Literal[True]
    """That the confidentiality and redisclosure warnings were read out."""


class EntryIn(TellingIn):
    """A call about one child of a referral."""

    child_id: str = Field(pattern=r"^chd_[0-9a-f]{32}$")
    agency_id: str = Field(pattern=r"^agy_[0-9a-f]{32}$")


class EntryOut(BaseModel):
    """`notice_id` null: its notice is not there yet, and until it is the call waits.
    `what_happens`: what becomes of it, in words."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    entry_id: str
    notice_id: str | None
    told_at: datetime
    entered_at: datetime
    what_happens: str


class TellingOut(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)

    disclosure_id: str
    notice_id: str
    told_at: datetime
    recorded_at: datetime


def oral_router(office: Office) -> APIRouter:
    """The routes of word of mouth. No agency may call them."""
    db, sealer, outbox = office.db, office.sealer, office.outbox
    routes = APIRouter()

    @routes.post("/v1/notices/{notice_id}/told-orally", status_code=201)
    async def told_orally(notice_id: str, body: TellingIn, person: Teller) -> TellingOut:
        """Recorded as a disclosure at the time of the call, however late it is entered. The same
        call again: the same answer."""
        refuse_agencies(person)
        must_be_a_person(person, "say that it has told somebody")
        must_be("ntc", notice_id)
        now = utc_now()
        call = _call(notice_id, body, person, now)
        async with db.transaction() as session:
            told = await telling.record(session, sealer, outbox, call, now)
        if told is None:
            raise not_found()
        return TellingOut.model_validate(told)

    @routes.post("/v1/referrals/{referral_id}/told-orally", status_code=201)
    async def enter(referral_id: str, body: EntryIn, person: Teller, answer: Response) -> EntryOut:
        """The same, where the notice is not at hand, refused, or not planned yet (202: it waits
        for it, and is then recorded at the time of the call)."""
        refuse_agencies(person)
        must_be_a_person(person, "say that it has told somebody")
        must_be("ref", referral_id)
        now = utc_now()
        call, leg = _call("", body, person, now), Leg(referral_id, body.child_id, body.agency_id)
        entered = await entering.enter(office, leg, call, now)
        if entered is None:
            raise _wrong("agency_id", "is not in the directory")
        if entered.notice_id is None:
            answer.status_code = 202
        return _out(entered)

    return routes


def _out(entered: Entered) -> EntryOut:
    return EntryOut(
        entry_id=entered.entry_id,
        notice_id=entered.notice_id,
        told_at=entered.told_at,
        entered_at=entered.entered_at,
        what_happens=entered.what_happens.format(entry_id=entered.entry_id),
    )


def _call(notice_id: str, body: TellingIn, person: Principal, now: datetime) -> Call:
    if body.told_at > now + _SKEW:
        raise _wrong("told_at", "must not be in the future")
    return Call(notice_id, person.subject, min(body.told_at, now), body.told_to)


def _wrong(field: str, detail: str) -> Problem:
    errors = [{"pointer": f"#/{field}", "detail": detail}]
    return Problem(422, "Unprocessable Content", "Nothing was stored.", errors=errors)
