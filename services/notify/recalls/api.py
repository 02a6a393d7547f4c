"""The HTTP API of recalls and closings: a named person, with a reason. No agency may call it."""

from typing import Annotated

import structlog
from fastapi import APIRouter, Depends

from services.notify.api import must_be, must_be_a_person, refuse_agencies
from services.notify.recalls.recalling import Order, Recalling
from services.notify.recalls.rules import NothingToRecall, NotNow, OverAlready
from services.notify.recalls.schemas import CloseIn, CloseOut, RecallIn, RecallOut
from shared.runtime.auth import Principal, require
from shared.runtime.db import Database
from shared.runtime.ids import utc_now
from shared.runtime.problem import Problem, not_found

log = structlog.get_logger()

Recaller = Annotated[Principal, Depends(require("notices:recall"))]
Closer = Annotated[Principal, Depends(require("notices:close"))]


def recall_router(db: Database, recalling: Recalling) -> APIRouter:
    """Every route about taking back and ending notices."""
    routes = APIRouter()

    @routes.post("/v1/notices/{notice_id}/recall")
    async def recall(notice_id: str, body: RecallIn, person: Recaller) -> RecallOut:
        """A disclosure went to the wrong recipient: an incident on record, and it is asked back.
        What was pointed to and never opened is out of that mailbox at once, and is no disclosure.

        The same again: the same answer. What was disclosed stays in the accounting.
        """
        order = _order(notice_id, body.reason.value, person, "recall a notice")
        async with db.transaction() as session:
            outcome = await recalling.recall(session, order)
        if outcome is None:
            raise not_found()
        if isinstance(outcome, NotNow | NothingToRecall):
            raise _conflict(outcome)
        log.warning("notice_recalled", notice=notice_id)
        return RecallOut.model_validate(outcome)

    @routes.post("/v1/notices/{notice_id}/close")
    async def close(notice_id: str, body: CloseIn, person: Closer) -> CloseOut:
        """A person ends a notice that has not arrived and will not. It meets no duty."""
        order = _order(notice_id, body.reason.value, person, "close a notice")
        async with db.transaction() as session:
            outcome = await recalling.close(session, order)
        if outcome is None:
            raise not_found()
        if isinstance(outcome, NotNow | OverAlready):
            raise _conflict(outcome)
        log.warning("notice_closed", notice=notice_id)
        return CloseOut.model_validate(outcome)

    return routes


def _order(notice_id: str, reason: str, person: Principal, what: str) -> Order:
    refuse_agencies(person)
    must_be_a_person(person, what)
    must_be("ntc", notice_id)
    return Order(notice_id, reason, person.subject, utc_now())


def _conflict(outcome: NotNow | NothingToRecall | OverAlready) -> Problem:
    match outcome:
        case NotNow():
            detail = "An attempt to deliver to this recipient is under way. Ask again in seconds."
        case NothingToRecall():
            detail = (
                "Nothing of it can have reached anybody, or it holds nothing. Close it instead."
            )
        case OverAlready():
            detail = "It has been delivered, or has ended otherwise."
    return Problem(409, "Conflict", detail)
