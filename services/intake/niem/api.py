"""The route of the NIEM-named view. A read like any other: recorded before it is answered (P2)."""

import json
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from services.intake import referrals
from services.intake.inputs import json_body, referral_id, refusing, unprocessable, version
from services.intake.niem import view
from services.intake.niem.table import Table
from services.intake.records import Version
from services.intake.schemas import NiemRequest
from services.intake.strict_json import Flaw
from services.intake.viewing import Question, Viewing
from shared.runtime.auth import Principal, require
from shared.runtime.ids import new_id, utc_now
from shared.runtime.problem import not_found

Reader = Annotated[Principal, Depends(require("referrals:niem"))]


def routes(viewing: Viewing, table: Table) -> APIRouter:
    router = APIRouter()

    @router.post("/v1/referrals/{referral_id}/versions/{version}/niem")
    async def niem(request: Request, caller: Reader) -> Response:
        """One version as one profile may see it, under NIEM 6.0's names."""
        subject, number = referral_id(request), version(request)
        body = await json_body(request)
        with refusing():
            wanted = referrals.read(NiemRequest, body)
        if viewing.unknown([wanted.profile]):
            raise unprocessable(Flaw(("profile",), "must be the name of a profile"))
        question = Question(
            disclosure_id=new_id("dsc"),
            referral_id=subject,
            version=number,
            principal=caller,
            profiles=[wanted.profile],
            purpose=wanted.purpose,
            authority=wanted.authority,
            now=utc_now(),
            routing=False,
        )
        content = await viewing.view(question, partial(_render, table))
        if content is None:
            raise not_found()
        return Response(content, media_type="application/json")

    return router


def _render(table: Table, shown: Version, children: Sequence[dict[str, Any]]) -> str:
    copies = [(each["child_id"], next(iter(each["copies"].values()))) for each in children]
    return json.dumps(view.referral(shown, copies, table), ensure_ascii=False)
