"""The HTTP API of word of mouth: a call, entered by the person who made it."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints

from services.notify.api import must_be, must_be_a_person, refuse_agencies
from services.notify.oral import telling
from services.notify.oral.telling import Call
from shared.messaging.outbox import Outbox
from shared.runtime.auth import Principal, require
from shared.runtime.db import Database
from shared.runtime.ids import utc_now
from shared.runtime.problem import Problem, not_found
from shared.runtime.sealing import Sealer

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


class TellingOut(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)

    disclosure_id: str
    notice_id: str
    told_at: datetime
    recorded_at: datetime


def oral_router(db: Database, sealer: Sealer, outbox: Outbox) -> APIRouter:
    """The one route of word of mouth. No agency may call it."""
    routes = APIRouter()

    @routes.post("/v1/notices/{notice_id}/told-orally", status_code=201)
    async def told_orally(notice_id: str, body: TellingIn, person: Teller) -> TellingOut:
        """Recorded as a disclosure at the time of the call, however late it is entered. The same
        call again: the same answer."""
        refuse_agencies(person)
        must_be_a_person(person, "say that it has told somebody")
        must_be("ntc", notice_id)
        now = utc_now()
        if body.told_at > now + _SKEW:
            raise _in_the_future()
        call = Call(notice_id, person.subject, min(body.told_at, now), body.told_to)
        async with db.transaction() as session:
            told = await telling.record(session, sealer, outbox, call, now)
        if told is None:
            raise not_found()
        return TellingOut.model_validate(told)

    return routes


def _in_the_future() -> Problem:
    return Problem(
        422,
        "Unprocessable Content",
        "Nothing was stored.",
        errors=[{"pointer": "#/told_at", "detail": "must not be in the future"}],
    )
