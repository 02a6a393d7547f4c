"""Whoever has a conflict in a referral finds nothing of it, on whatever route (C17, P10)."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from fastapi import Request

from services.intake.decisions import store as decision_store
from services.intake.hart.recusing import Recusals
from services.intake.retrying import until_known
from shared.runtime.auth import Principal, hide
from shared.runtime.db import Database

Door = Callable[[Request], Awaitable[None]]


def keeping_out(db: Database, recusals: Recusals) -> Door:
    """A dependency of every route: for a person who is recused, what the path names does not
    exist. HART's and the placements' own steps ask again, in their transactions."""

    async def door(request: Request) -> None:
        caller: Principal | None = getattr(request.state, "principal", None)
        named = request.path_params
        if caller is None or not caller.person or named.keys().isdisjoint(_NAMES):
            return
        if await until_known(partial(_barred, db, recusals, named, caller.subject)):
            hide(request)

    return door


async def _barred(db: Database, recusals: Recusals, named: Mapping[str, str], person: str) -> bool:
    async with db.connection() as session:
        referral_id = named.get("referral_id")
        if referral_id is None:
            incident_id = named["incident_id"]
            referral_id = await decision_store.referral_of_incident(session, incident_id)
        return bool(referral_id) and await recusals.barred(session, referral_id or "", person)


_NAMES = {"referral_id", "incident_id"}
