"""What notify reads: versions as each profile may see them, on record before they are answered."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from services.intake import referrals
from services.intake.inputs import json_body, referral_id, refusing, unprocessable, version
from services.intake.replies import reply
from services.intake.schemas import ProjectionRequest, ProjectionsRequest
from services.intake.strict_json import Flaw
from services.intake.viewing import Question, Viewing
from shared.runtime.auth import Principal, require
from shared.runtime.ids import new_id, utc_now
from shared.runtime.problem import not_found

Reader = Annotated[Principal, Depends(require("internal:projections"))]


def routes(viewing: Viewing) -> APIRouter:
    router = APIRouter()

    @router.post("/internal/v1/referrals/{referral_id}/versions/{version}/projections")
    async def projections(request: Request, caller: Reader) -> Response:
        """One version as each profile may see it."""
        subject, number = referral_id(request), version(request)
        body = await json_body(request)
        with refusing():
            wanted = referrals.read(ProjectionRequest, body)
        _check(viewing, wanted.profiles)
        question = partial(_question, caller, wanted)
        content = await viewing.view(question(subject, number, wanted.profiles))
        if content is None:
            raise not_found()
        return reply(content)

    @router.post("/internal/v1/projections")
    async def together(request: Request, caller: Reader) -> Response:
        """Several versions, in the order asked for. In place of one that there is not, or whose
        content is destroyed, stands null: asked for alone, it says which."""
        body = await json_body(request)
        with refusing():
            wanted = referrals.read(ProjectionsRequest, body)
        for place, each in enumerate(wanted.wanted):
            _check(viewing, each.profiles, "wanted", place)
        question = partial(_question, caller, wanted)
        shown = await viewing.view_all(
            [question(each.referral_id, each.version, each.profiles) for each in wanted.wanted]
        )
        contents = (content if isinstance(content, str) else "null" for content in shown)
        return reply(f'{{"projections":[{",".join(contents)}]}}')

    return router


def _question(
    caller: Principal,
    wanted: ProjectionRequest | ProjectionsRequest,
    subject: str,
    number: int,
    profiles: Sequence[str],
) -> Question:
    return Question(
        disclosure_id=new_id("dsc"),
        referral_id=subject,
        version=number,
        principal=caller,
        profiles=profiles,
        purpose=wanted.purpose,
        authority=wanted.authority,
        now=utc_now(),
    )


def _check(viewing: Viewing, profiles: Sequence[str], *where: str | int) -> None:
    if unknown := viewing.unknown(profiles):
        raise unprocessable(
            *(
                Flaw((*where, "profiles", place), "must be the name of a profile in profiles.yaml")
                for place in unknown
            )
        )
