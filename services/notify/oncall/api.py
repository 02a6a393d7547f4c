"""The HTTP API of the on-call roster."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import AwareDatetime

from services.notify.oncall import override_store, roster_store, rostering
from services.notify.oncall.holes import warnings
from services.notify.oncall.roster import Override
from services.notify.oncall.rostering import ROSTERS
from services.notify.oncall.schemas import (
    ChangeOut,
    OnCallOut,
    OverrideIn,
    OverrideOut,
    OverridesOut,
    RosterIn,
)
from services.notify.proposals.api import a_person_only, own_people_only
from shared.runtime.auth import Principal, require
from shared.runtime.db import Database, Session
from shared.runtime.errors import Wrong
from shared.runtime.ids import utc_now
from shared.runtime.problem import Problem, not_found
from shared.runtime.sealing import Sealer

_PAGE = 50

Reader = Annotated[Principal, Depends(require("oncall:read"))]
Proposer = Annotated[Principal, Depends(require("oncall:propose"))]


def oncall_router(db: Database, sealer: Sealer) -> APIRouter:
    routes = APIRouter()

    @routes.get("/v1/oncall")
    async def on_call(reader: Reader, at: AwareDatetime | None = None) -> OnCallOut:
        """Who is on call, now or at `at`. Their channels are not shown."""
        own_people_only(reader)
        moment = at or utc_now()
        async with db.transaction() as session:
            version, _ = await roster_store.newest(session)
            roster = await roster_store.in_force(session, min(moment, utc_now()))
        return OnCallOut(
            at=moment,
            version=version,
            roles={role: list(roster.on_call(role, moment)) for role in sorted(roster.shifts)},
            fallback=list(roster.fallbacks()),
        )

    @routes.post("/v1/oncall/proposals", status_code=201)
    async def propose(body: RosterIn, person: Proposer) -> ChangeOut:
        """A whole roster, in the form of its file. In force when somebody else has approved."""
        a_person_only(person)
        async with db.transaction() as session:
            made = await rostering.propose_roster(
                session, sealer, body.roster, reason=body.reason, by=person.subject, now=utc_now()
            )
        return ChangeOut(proposal_id=made.proposal_id, difference=ROSTERS.describe(made.body))

    @routes.post("/v1/oncall/overrides", status_code=201)
    async def override(body: OverrideIn, person: Proposer, answer: Response) -> ChangeOut:
        """Somebody comes in for a time. 202: it takes alarms from somebody, so another approves."""
        a_person_only(person)
        now = utc_now()
        starts_at = body.starts_at or now
        wanted = Override(body.role, body.person, body.instead_of, starts_at, body.ends_at)
        try:
            async with db.transaction() as session:
                made = await rostering.override(
                    session, wanted, reason=body.reason, by=person.subject, now=now
                )
                if isinstance(made, str):
                    return await _stands(session, made, now)
        except Wrong as wrong:
            field, _, detail = str(wrong).partition(": ")
            error = {"pointer": f"#/{field}", "detail": detail}
            raise Problem(422, "Unprocessable Content", errors=[error]) from None
        answer.status_code = 202
        return ChangeOut(proposal_id=made.proposal_id, difference=ROSTERS.describe(made.body))

    @routes.get("/v1/oncall/overrides")
    async def overrides(
        reader: Reader, every: Annotated[bool, Query(alias="all")] = False
    ) -> OverridesOut:
        """Those that are in force or still to come; `all`: and the last that are over."""
        own_people_only(reader)
        now = utc_now()
        async with db.transaction() as session:
            found = await override_store.newest(session, _PAGE, not_over=None if every else now)
        return OverridesOut(overrides=[OverrideOut.of(each, now) for each in found])

    @routes.post("/v1/oncall/overrides/{override_id}/end")
    async def end(override_id: str, person: Proposer) -> ChangeOut:
        """Before its time, by anybody who may set one: the alarms go where two people had them go.
        Once more, and it is as before."""
        a_person_only(person)
        now = utc_now()
        async with db.transaction() as session:
            found = await override_store.get(session, override_id)
            if found is None:
                raise not_found()
            if not found.over(now):
                await override_store.end(session, override_id, by=person.subject, now=now)
            return await _stands(session, override_id, now)

    return routes


async def _stands(session: Session, override_id: str, now: datetime) -> ChangeOut:
    """An override as it is now, with each time within a week at which nobody is on call."""
    made = await override_store.get(session, override_id)
    assert made is not None, "it was put there, or found, by this transaction"
    roster = await roster_store.in_force(session, now)
    return ChangeOut(
        proposal_id=None,
        difference=[rostering.say_override(made, now), *warnings(roster, now)],
        override=OverrideOut.of(made, now),
    )
