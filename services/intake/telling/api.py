"""The internal routes on which notify fetches what the copies of a referral do not hold."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from services.intake.asking import read_body
from services.intake.inputs import counted, opaque_id, referral_id
from services.intake.replies import reply
from services.intake.telling.reading import Asker, Telling
from services.intake.telling.schemas import TellingRequest
from shared.runtime.auth import Principal, require
from shared.runtime.ids import new_id, utc_now
from shared.runtime.problem import not_found

Reader = Annotated[Principal, Depends(require("internal:projections"))]


def routes(telling: Telling) -> APIRouter:
    """Both are on record before they are answered."""
    router = APIRouter()

    @router.post("/internal/v1/referrals/{referral_id}/decisions/{number}/critical-incidents")
    async def incidents(request: Request, caller: Reader) -> Response:
        """Form DCF-823 of each child, as it stood by this decision."""
        subject, decision = referral_id(request), counted(request, "number")
        content = await telling.incidents(await _asker(request, caller), subject, decision)
        return _found(content)

    @router.post("/internal/v1/consults/{consult_id}/outcome")
    async def outcome(request: Request, caller: Reader) -> Response:
        """What a completed consult came to."""
        consult = opaque_id(request, "consult_id", "con")
        return _found(await telling.outcome(await _asker(request, caller), consult))

    return router


async def _asker(request: Request, caller: Principal) -> Asker:
    _, why = await read_body(request, TellingRequest)
    return Asker(new_id("dsc"), caller, why.purpose, why.authority, utc_now())


def _found(content: str | None) -> Response:
    if content is None:
        raise not_found()
    return reply(content)
