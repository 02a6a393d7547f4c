"""The HTTP routes of sameness, for persons."""

from dataclasses import dataclass
from typing import Annotated, assert_never

from fastapi import APIRouter, Depends, Request, Response

from services.intake import referrals
from services.intake.access import NotTheirs
from services.intake.inputs import idempotency_key, json_body, referral_id, refusing
from services.intake.matching.matching import Answered, Matching, Wanted, describe
from services.intake.matching.people import Contradiction, pair
from services.intake.matching.schemas import SamenessAnswer
from services.intake.once import Answer, Once
from services.intake.receiving import KeyReused
from services.intake.replies import conflict, key_reused, only_a_person, reply
from services.intake.strict_json import Flaw, Rejected
from shared.runtime.auth import Principal, require
from shared.runtime.ids import utc_now
from shared.runtime.problem import not_found

Matcher = Annotated[Principal, Depends(require("children:match"))]


@dataclass(frozen=True, slots=True)
class MatchingDesk:
    """What these routes stand on."""

    once: Once
    matching: Matching


def routes(desk: MatchingDesk) -> APIRouter:
    """Every route of sameness."""
    router = APIRouter()

    @router.get("/v1/candidates")
    async def waiting(caller: Matcher) -> Response:
        """The hundred children, two by two, that have waited longest for a person's answer."""
        only_a_person(caller)
        return reply(describe(await desk.matching.waiting()))

    @router.get("/v1/referrals/{referral_id}/candidates")
    async def of_one(request: Request, caller: Matcher) -> Response:
        """Whom the children of one referral may be."""
        only_a_person(caller)
        return reply(describe(await desk.matching.waiting(referral_id(request))))

    @router.post("/v1/candidates/answers", status_code=201)
    async def answer(request: Request, caller: Matcher) -> Response:
        """A person says whether two children are one; said again, the last word holds."""
        only_a_person(caller)
        key = idempotency_key(request)
        body = await json_body(request)
        with refusing():
            wanted = referrals.read(SamenessAnswer, body)
            one, other = wanted.child_ids
            if one == other:
                raise Rejected(Flaw(("child_ids", 1), "must be another child"))
        asked = desk.once.asked(caller.subject, key, "candidates/answers", body, utc_now())
        return _answered(await desk.matching.answer(asked, Wanted(pair(one, other), wanted.same)))

    return router


def _answered(outcome: Answered) -> Response:
    match outcome:
        case Answer():
            return reply(outcome.text, 201)
        case KeyReused():
            raise key_reused()
        case NotTheirs():
            raise not_found()
        case Contradiction():
            raise conflict("By way of others, this contradicts an answer: take that back first.")
        case _:
            assert_never(outcome)
