"""The HTTP API of the on-call roster."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import AwareDatetime

from services.notify.oncall import roster_store, rostering
from services.notify.oncall.roster import Override
from services.notify.oncall.rostering import ROSTERS
from services.notify.oncall.schemas import ChangeOut, OnCallOut, OverrideIn, RosterIn
from services.notify.proposals.api import a_person_only, own_people_only
from shared.runtime.auth import Principal, require
from shared.runtime.db import Database
from shared.runtime.errors import Wrong
from shared.runtime.ids import utc_now
from shared.runtime.problem import Problem
from shared.runtime.sealing import Sealer

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
        wanted = Override(body.role, body.person, body.instead_of, body.starts_at, body.ends_at)
        try:
            async with db.transaction() as session:
                made = await rostering.override(
                    session, wanted, reason=body.reason, by=person.subject, now=utc_now()
                )
        except Wrong as wrong:
            field, _, detail = str(wrong).partition(": ")
            error = {"pointer": f"#/{field}", "detail": detail}
            raise Problem(422, "Unprocessable Content", errors=[error]) from None
        if made is None:
            return ChangeOut(proposal_id=None, difference=[])
        answer.status_code = 202
        return ChangeOut(proposal_id=made.proposal_id, difference=ROSTERS.describe(made.body))

    return routes
