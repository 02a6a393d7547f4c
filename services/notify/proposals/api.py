"""The HTTP API of proposals: what waits for a second person, and that person's decision."""

from typing import Annotated, assert_never

from fastapi import APIRouter, Depends, Query

from services.notify.directory.schemas import DecisionIn, ProposalOut, ProposalsOut
from services.notify.proposals import store as proposal_store
from services.notify.proposals.proposal import (
    AlreadyDecided,
    Decided,
    Decision,
    OutOfDate,
    Proposables,
    Proposal,
    SamePerson,
    Unknown,
)
from shared.runtime.auth import Principal, require
from shared.runtime.db import Database
from shared.runtime.ids import utc_now
from shared.runtime.problem import Problem, not_found

_PAGE = 50

Reader = Annotated[Principal, Depends(require("proposals:read"))]
Decider = Annotated[Principal, Depends(require("proposals:decide"))]


def proposal_router(db: Database, proposables: Proposables) -> APIRouter:
    """Reading and deciding; each kind is proposed by a route of its own."""
    routes = APIRouter()

    @routes.get("/v1/proposals")
    async def proposals(
        reader: Reader,
        only_open: Annotated[bool, Query(alias="open")] = False,
        after: Annotated[str | None, Query(pattern=r"^prp_[0-9a-f]{32}$")] = None,
        limit: Annotated[int, Query(ge=1, le=_PAGE)] = _PAGE,
    ) -> ProposalsOut:
        """The oldest first."""
        own_people_only(reader)
        async with db.transaction() as session:
            found = await proposal_store.list_proposals(
                session, only_open=only_open, after=after, limit=limit + 1
            )
        page = [_out(each) for each in found[:limit]]
        return ProposalsOut(proposals=page, next=page[-1].proposal_id if found[limit:] else None)

    @routes.get("/v1/proposals/{proposal_id}")
    async def proposal(proposal_id: str, reader: Reader) -> ProposalOut:
        own_people_only(reader)
        async with db.transaction() as session:
            found = await proposal_store.get(session, proposal_id)
        if found is None:
            raise not_found()
        return _out(found)

    @routes.post("/v1/proposals/{proposal_id}/approve")
    async def approve(proposal_id: str, body: DecisionIn, person: Decider) -> ProposalOut:
        """By somebody else than whoever proposed it. It is in effect when this has answered."""
        return await decide(proposal_id, body, person, approve=True)

    @routes.post("/v1/proposals/{proposal_id}/reject")
    async def reject(proposal_id: str, body: DecisionIn, person: Decider) -> ProposalOut:
        """Or, of one's own, take it back."""
        return await decide(proposal_id, body, person, approve=False)

    async def decide(
        proposal_id: str, body: DecisionIn, person: Principal, *, approve: bool
    ) -> ProposalOut:
        a_person_only(person)
        try:
            async with db.transaction() as session:
                decision = await proposal_store.decide(
                    session,
                    proposal_id,
                    approve=approve,
                    by=person.subject,
                    decision=body.decision,
                    now=utc_now(),
                    proposables=proposables,
                )
        except OutOfDate:
            detail = "What it was made against has changed since. Look again and propose anew."
            raise Problem(409, "Conflict", detail) from None
        return _out(_decided(decision))

    def _out(found: Proposal) -> ProposalOut:
        return ProposalOut.of(found, proposables[found.kind].describe(found.body))

    return routes


def _decided(decision: Decision) -> Proposal:
    match decision:
        case Decided(proposal):
            return proposal
        case AlreadyDecided():
            raise Problem(409, "Conflict", "This proposal has been decided already.")
        case SamePerson():
            raise Problem(403, "Forbidden", "Somebody else than its proposer must approve it.")
        case Unknown():
            raise not_found()
        case _:
            assert_never(decision)


def own_people_only(principal: Principal) -> None:
    """The directory says where everybody's notices go: no agency sees it (P10)."""
    if principal.agency is not None:
        raise Problem(403, "Forbidden", "This is for the department's own people.")


def a_person_only(principal: Principal) -> None:
    own_people_only(principal)
    if not principal.person:
        raise Problem(403, "Forbidden", "Only a person can propose or decide.")
