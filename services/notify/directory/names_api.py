"""What audit asks of the directory: what an agency was called when it was told."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from services.notify.api import refuse_agencies
from services.notify.directory import store as directory_store
from services.notify.directory.authority import today
from services.notify.directory.history import Term, in_force
from shared.contracts.base import Instant, OpaqueId
from shared.runtime.auth import Principal, require
from shared.runtime.db import Database

Service = Annotated[Principal, Depends(require("internal:agency-names"))]
_MOST = 1000


class Told(BaseModel):
    """An agency as it was chosen: by which version of the directory, and when it was told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    agency_id: OpaqueId
    directory_version: int | None = None
    at: Instant


class NamesAsked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    told: list[Told] = Field(max_length=_MOST)


class NamesOut(BaseModel):
    """A name for each that was asked about, in order; null for what the directory never held."""

    names: list[str | None]


def names_router(db: Database) -> APIRouter:
    routes = APIRouter()

    @routes.post("/internal/v1/agencies/names")
    async def names(asked: NamesAsked, service: Service) -> NamesOut:
        """What each agency was called on that day, as far as that version knew."""
        refuse_agencies(service)
        ids = {each.agency_id for each in asked.told}
        async with db.transaction() as session:
            terms = await directory_store.terms(session, ids)
            current = await directory_store.names(session, ids)
        return NamesOut(names=[_name(each, terms, current) for each in asked.told])

    return routes


def _name(asked: Told, terms: list[Term], current: dict[str, str]) -> str | None:
    """The current name where the history holds none: agencies of before there was a history."""
    own = [term for term in terms if term.agency_id == asked.agency_id]
    found = in_force(own, today(asked.at), asked.directory_version)
    entry = found.get(asked.agency_id)
    return entry.name if entry else current.get(asked.agency_id)
