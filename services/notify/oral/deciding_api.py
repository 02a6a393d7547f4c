"""The HTTP API of calls that were entered: their list, and ending one that finds no notice."""

from datetime import datetime
from typing import Annotated, assert_never

import structlog
from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict

from services.notify.api import must_be, must_be_a_person, refuse_agencies
from services.notify.oral import deciding, decision_store
from services.notify.oral.api import Teller
from services.notify.oral.deciding import (
    Decided,
    DecidedOtherwise,
    Decision,
    OnRecord,
    Outcome,
    Own,
)
from services.notify.planning.drafting import Clerk
from shared.messaging.outbox import Outbox
from shared.runtime.auth import Principal, require
from shared.runtime.db import Database
from shared.runtime.ids import utc_now
from shared.runtime.problem import Problem, not_found
from shared.runtime.sealing import Sealer
from shared.runtime.two_people import Reason

log = structlog.get_logger()

Decider = Annotated[Principal, Depends(require("notices:close"))]


class DecisionIn(BaseModel):
    """`not_told`: entered by mistake, that agency was told nothing of that child. `misdirected`:
    it was told, and nothing on file permits it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    outcome: Outcome
    reason: Reason


class DecidedOut(BaseModel):
    """`disclosure_id`: of what was told, in the log of disclosures."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    entry_id: str
    outcome: Outcome
    decided_by: str
    decided_at: datetime
    reason: str
    disclosure_id: str | None


class ListedOut(BaseModel):
    """A call as it was entered. With neither `notice_id` nor `outcome` it waits for its notice."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    entry_id: str
    child_id: str
    agency_id: str
    told_by: str
    told_at: datetime
    entered_at: datetime
    notice_id: str | None
    outcome: Outcome | None
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None
    disclosure_id: str | None


class ListOut(BaseModel):
    """The oldest first. Whom they spoke to is not in it: that lies sealed."""

    model_config = ConfigDict(frozen=True)

    entries: list[ListedOut]


def deciding_router(db: Database, sealer: Sealer, clerk: Clerk, outbox: Outbox) -> APIRouter:
    """No agency may call these."""
    routes = APIRouter()

    @routes.get("/v1/referrals/{referral_id}/told-orally")
    async def entries(referral_id: str, person: Teller) -> ListOut:
        """Every call about a referral that was entered by referral, whatever has become of it."""
        refuse_agencies(person)
        must_be("ref", referral_id)
        async with db.connection() as session:
            found = await decision_store.of_referral(session, referral_id)
        return ListOut(entries=[ListedOut.model_validate(each) for each in found])

    @routes.post("/v1/oral-entries/{entry_id}/decision")
    async def decide(entry_id: str, body: DecisionIn, person: Decider) -> DecidedOut:
        """Another person than who made the call ends one that no notice will come for; its age
        and its task end with it. The same again: the same answer."""
        refuse_agencies(person)
        must_be_a_person(person, "decide a call")
        must_be("orl", entry_id)
        decision = Decision(entry_id, body.outcome, person.subject, body.reason)
        async with db.transaction() as session:
            found = await deciding.decide(session, sealer, clerk, outbox, decision, utc_now())
        match found:
            case Decided():
                log.warning("oral_entry_decided", outcome=found.outcome.value)
                return DecidedOut.model_validate(found)
            case None:
                raise not_found()
            case Own():
                detail = "Somebody else than who made the call must decide it."
                raise Problem(403, "Forbidden", detail)
            case OnRecord():
                raise Problem(409, "Conflict", "Its notice is there: the call is on record.")
            case DecidedOtherwise():
                raise Problem(409, "Conflict", "Somebody has decided this call already.")
            case _:
                assert_never(found)

    return routes
