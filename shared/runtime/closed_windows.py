"""What a service says of itself when its record is compared with another's (reconciliation).

Two questions, for each kind of thing that it lists: which ids fall into a closed window of time,
page by page; and which of these ids do you have, whenever they came. Ids only, and only to the
audit service's own token.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import TextClause

from shared.runtime.auth import Principal, require
from shared.runtime.db import Database, Session
from shared.runtime.problem import Problem, not_found

SCOPE = "internal:reconciliation"
PAGE = 1000

_Caller = Annotated[Principal, Depends(require(SCOPE))]


@dataclass(frozen=True)
class Listed:
    """One kind of thing. `page`: `id` in order, for :start, :end, :after and :limit; `known`: those
    `id`s of :ids that there are."""

    page: TextClause
    known: TextClause


class Page(BaseModel):
    """`next`: what to ask `after` for the rest; null when this was all."""

    ids: list[str]
    next: str | None


class Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    ids: list[Annotated[str, Field(max_length=200)]] = Field(max_length=PAGE)


async def read_page(
    session: Session, listed: Listed, start: datetime, end: datetime, after: str
) -> Page:
    """The next ids of the window [start, end) after `after`."""
    rows = await session.execute(
        listed.page, {"start": start, "end": end, "after": after, "limit": PAGE}
    )
    ids = [row.id for row in rows]
    return Page(ids=ids, next=ids[-1] if len(ids) == PAGE else None)


async def read_known(session: Session, listed: Listed, ids: list[str]) -> set[str]:
    """Those of `ids` that there are."""
    return {row.id for row in await session.execute(listed.known, {"ids": ids})}


def window_routes(db: Database, kinds: Mapping[str, Listed]) -> APIRouter:
    """The internal routes that answer for `kinds`."""
    router = APIRouter(include_in_schema=False)

    @router.get("/internal/v1/windows/{kind}")
    async def page(
        kind: str,
        caller: _Caller,
        start: Annotated[AwareDatetime, Query()],
        end: Annotated[AwareDatetime, Query()],
        after: Annotated[str, Query(max_length=200)] = "",
    ) -> Page:
        listed = _listed(kinds, kind, caller)
        async with db.transaction() as session:
            return await read_page(session, listed, start, end, after)

    @router.post("/internal/v1/windows/{kind}/known")
    async def known(kind: str, caller: _Caller, asked: Asked) -> Page:
        listed = _listed(kinds, kind, caller)
        async with db.transaction() as session:
            found = await read_known(session, listed, asked.ids)
        return Page(ids=sorted(found), next=None)

    return router


def _listed(kinds: Mapping[str, Listed], kind: str, caller: Principal) -> Listed:
    if caller.agency is not None:
        raise Problem(403, "Forbidden", "This is for the department's own services.")
    if kind not in kinds:
        raise not_found()
    return kinds[kind]
