"""What audit asks of intake about a child: its other ids, and the end of its content.

Between services, so in no published document.
"""

import json
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from services.intake import referrals
from services.intake.inputs import json_body, opaque_id, refusing
from services.intake.replies import reply
from services.intake.schemas import Body
from services.intake.shredding.shredding import Order, Shredding
from shared.contracts.base import OpaqueId
from shared.runtime.auth import Principal, require
from shared.runtime.ids import utc_now
from shared.runtime.problem import not_found

Asker = Annotated[Principal, Depends(require("internal:subjects"))]
Orderer = Annotated[Principal, Depends(require("internal:shred"))]


class ShredRequest(Body):
    """Two people have agreed at audit, which keeps who, and why."""

    shredding_id: OpaqueId


def routes(shredding: Shredding) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/internal/v1/children/{child_id}/subjects")
    async def subjects(request: Request, _: Asker) -> Response:
        """Every id under which the record may speak of this child. Ids alone: no content."""
        found = await shredding.subjects(opaque_id(request, "child_id", "chd"))
        if found is None:
            raise not_found()
        return reply(json.dumps(asdict(found)))

    @router.post("/internal/v1/children/{child_id}/shredding")
    async def shred(request: Request, _: Orderer) -> Response:
        """Destroy this child's key. Ordered again, it answers the same."""
        child_id = opaque_id(request, "child_id", "chd")
        body = await json_body(request)
        with refusing():
            wanted = referrals.read(ShredRequest, body)
        if not await shredding.shred(Order(wanted.shredding_id, child_id, utc_now())):
            raise not_found()
        return reply(json.dumps({"shredding_id": wanted.shredding_id, "child_id": child_id}))

    return router
