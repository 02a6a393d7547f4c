"""Whoever has a conflict in a referral finds nothing of it, on whatever route (C17, P10)."""

from collections.abc import Awaitable, Callable

from fastapi import Request

from services.intake.decisions import store as decision_store
from services.intake.hart.recusing import Recusals
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
        async with db.transaction() as session:
            referral_id = named.get("referral_id")
            if referral_id is None:
                incident = named["incident_id"]
                referral_id = await decision_store.referral_of_incident(session, incident)
            if referral_id and await recusals.barred(session, referral_id, caller.subject):
                hide(request)

    return door


_NAMES = {"referral_id", "incident_id"}
