"""The HTTP routes of sameness, for persons."""

from typing import Annotated, assert_never

from fastapi import APIRouter, Depends, Request, Response

from services.intake.access import NotTheirs
from services.intake.asking import asked
from services.intake.inputs import referral_id, unprocessable
from services.intake.matching.matching import Answered, Matching, Wanted, describe
from services.intake.matching.people import Contradiction, pair
from services.intake.matching.schemas import SamenessAnswer
from services.intake.once import Answer
from services.intake.receiving import KeyReused, StillOpen
from services.intake.replies import answered, conflict, only_a_person, reply
from services.intake.strict_json import Flaw
from shared.runtime.auth import Principal, require
from shared.runtime.problem import not_found

Matcher = Annotated[Principal, Depends(require("children:match"))]


def routes(matching: Matching) -> APIRouter:
    """Every route of sameness."""
    router = APIRouter()

    @router.get("/v1/candidates")
    async def waiting(caller: Matcher) -> Response:
        """The hundred children, two by two, that have waited longest for a person's answer."""
        only_a_person(caller)
        return reply(describe(await matching.waiting(caller.subject)))

    @router.get("/v1/referrals/{referral_id}/candidates")
    async def of_one(request: Request, caller: Matcher) -> Response:
        """Whom the children of one referral may be."""
        only_a_person(caller)
        return reply(describe(await matching.waiting(caller.subject, referral_id(request))))

    @router.post("/v1/candidates/answers", status_code=201)
    async def answer(request: Request, caller: Matcher) -> Response:
        """A person says whether two children are one; said again, the last word holds."""
        only_a_person(caller)
        ask, wanted = await asked(request, caller, SamenessAnswer)
        one, other = wanted.child_ids
        if one == other:
            raise unprocessable(Flaw(("child_ids", 1), "must be another child"))
        return _answered(await matching.answer(ask, Wanted(pair(one, other), wanted.same)))

    return router


def _answered(outcome: Answered) -> Response:
    match outcome:
        case Answer() | KeyReused() | StillOpen():
            return answered(outcome)
        case NotTheirs():
            raise not_found()
        case Contradiction():
            raise conflict("By way of others, this contradicts an answer: take that back first.")
        case _:
            assert_never(outcome)
