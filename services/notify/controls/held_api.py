"""The HTTP API of what a halt keeps back."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.notify.api import Reader, must_be, must_be_scoped
from services.notify.controls import halt_store, held_store
from services.notify.controls.schemas import HeldOut, HeldsOut
from services.notify.proposals.api import own_people_only
from shared.runtime.db import Database
from shared.runtime.ids import utc_now
from shared.runtime.problem import not_found

_PAGE = 100


def held_router(db: Database) -> APIRouter:
    routes = APIRouter()

    @routes.get("/v1/halts/{halt_id}/notices")
    async def held(
        halt_id: str,
        reader: Reader,
        after: Annotated[str | None, Query(pattern=r"^ntc_[0-9a-f]{32}$")] = None,
        limit: Annotated[int, Query(ge=1, le=_PAGE)] = _PAGE,
    ) -> HeldsOut:
        """Whose notices it keeps back, so that they can be told by telephone: the nearest due
        first. Nothing of whoever has a conflict of interest."""
        own_people_only(reader)
        must_be_scoped(reader)
        must_be("hlt", halt_id)
        async with db.transaction() as session:
            if await halt_store.get(session, halt_id) is None:
                raise not_found()
            found = await held_store.held_by(
                session, halt_id, after=after, most=limit + 1, now=utc_now()
            )
        page = [HeldOut.model_validate(each) for each in found[:limit]]
        return HeldsOut(notices=page, next=page[-1].notice_id if len(found) > limit else None)

    return routes
