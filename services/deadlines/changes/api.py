"""The HTTP API of changed policies: ask, propose, decide, and what there was when."""

import re
from typing import Annotated, assert_never

from fastapi import APIRouter, Depends, Query

from services.deadlines.api import own_people_only
from services.deadlines.changes import store
from services.deadlines.changes.proposals import (
    AlreadyDecided,
    Decided,
    Decision,
    Flawed,
    OutOfDate,
    Proposal,
    SamePerson,
    Unknown,
)
from services.deadlines.changes.proposing import Changes
from services.deadlines.changes.schemas import (
    DecisionIn,
    DifferenceOut,
    PolicyIn,
    PolicyOut,
    ProposalIn,
    ProposalOut,
    ProposalsOut,
    VersionOut,
    VersionsOut,
    WhatIfOut,
)
from shared.runtime.auth import Principal, require
from shared.runtime.db import Database
from shared.runtime.problem import MOST, Problem, not_found

_PAGE = 50
_PROPOSAL = re.compile(r"prp_[0-9a-f]{32}", re.ASCII)

Reader = Annotated[Principal, Depends(require("policies:read"))]
Proposer = Annotated[Principal, Depends(require("policies:propose"))]
Decider = Annotated[Principal, Depends(require("policies:decide"))]


def change_routes(db: Database, changes: Changes) -> APIRouter:
    """For the department's own people only."""
    router = APIRouter()
    _add_reading(router, db)
    _add_changing(router, changes)
    return router


def _add_reading(router: APIRouter, db: Database) -> None:
    @router.get("/v1/policies")
    async def versions(reader: Reader) -> VersionsOut:
        """Every version that clocks ran, run or will run under, and who put it in force."""
        own_people_only(reader)
        async with db.transaction() as session:
            found = await store.history(session)
        return VersionsOut(
            versions=[
                VersionOut(
                    policy=PolicyOut.of(each.policy),
                    known_since=each.known_since,
                    proposal_id=each.proposal_id,
                    proposed_by=each.proposed_by,
                    approved_by=each.approved_by,
                )
                for each in found
            ]
        )

    @router.get("/v1/policies/proposals")
    async def proposals(
        reader: Reader,
        only_open: Annotated[bool, Query(alias="open")] = False,
        after: Annotated[str | None, Query(pattern=r"^prp_[0-9a-f]{32}$")] = None,
        limit: Annotated[int, Query(ge=1, le=_PAGE)] = _PAGE,
    ) -> ProposalsOut:
        """The oldest first."""
        own_people_only(reader)
        async with db.transaction() as session:
            found = await store.listed(session, only_open=only_open, after=after, limit=limit + 1)
        page = [ProposalOut.of(each) for each in found[:limit]]
        return ProposalsOut(proposals=page, next=page[-1].proposal_id if found[limit:] else None)

    @router.get("/v1/policies/proposals/{proposal_id}")
    async def proposal(proposal_id: str, reader: Reader) -> ProposalOut:
        own_people_only(reader)
        _must_be_an_id(proposal_id)
        async with db.transaction() as session:
            found = await store.get(session, proposal_id)
        if found is None:
            raise not_found()
        return ProposalOut.of(found)


def _add_changing(router: APIRouter, changes: Changes) -> None:
    @router.post("/v1/policies/what-if")
    async def what_if(body: PolicyIn, reader: Reader) -> WhatIfOut:
        """What a policy file would have made of the past. Nothing is stored."""
        own_people_only(reader)
        found = await changes.what_if(body.text, body.file)
        if isinstance(found, Flawed):
            raise _refused(found)
        policy, difference = found
        return WhatIfOut(policy=PolicyOut.of(policy), difference=DifferenceOut.of(difference))

    @router.post("/v1/policies/proposals", status_code=201)
    async def propose(body: ProposalIn, person: Proposer) -> ProposalOut:
        """With what it would have made of the past, which is stored beside it."""
        _a_person_only(person)
        found = await changes.propose(body.text, body.file, reason=body.reason, by=person.subject)
        if isinstance(found, Flawed):
            raise _refused(found)
        return ProposalOut.of(found.proposal)

    @router.post("/v1/policies/proposals/{proposal_id}/approve")
    async def approve(proposal_id: str, body: DecisionIn, person: Decider) -> ProposalOut:
        """By somebody else than whoever proposed it. It is in force from its first day."""
        return await decide(proposal_id, body, person, approve=True)

    @router.post("/v1/policies/proposals/{proposal_id}/reject")
    async def reject(proposal_id: str, body: DecisionIn, person: Decider) -> ProposalOut:
        """Or, of one's own, take it back."""
        return await decide(proposal_id, body, person, approve=False)

    async def decide(
        proposal_id: str, body: DecisionIn, person: Principal, *, approve: bool
    ) -> ProposalOut:
        _a_person_only(person)
        _must_be_an_id(proposal_id)
        decision = await changes.decide(
            proposal_id, approve=approve, by=person.subject, decision=body.decision
        )
        return ProposalOut.of(_decided(decision))


def _decided(decision: Decision) -> Proposal:
    match decision:
        case Decided(proposal):
            return proposal
        case AlreadyDecided():
            raise Problem(409, "Conflict", "This proposal has been decided already.")
        case OutOfDate():
            detail = "Its day is too near, or its duty is governed otherwise by now. Propose anew."
            raise Problem(409, "Conflict", detail)
        case SamePerson():
            raise Problem(403, "Forbidden", "Somebody else than its proposer must approve it.")
        case Unknown():
            raise not_found()
        case _:
            assert_never(decision)


def _refused(found: Flawed) -> Problem:
    errors = [{"pointer": "#/text", "detail": str(flaw)} for flaw in found.flaws[:MOST]]
    return Problem(422, "Unprocessable", "This policy file is refused.", errors=errors)


def _must_be_an_id(proposal_id: str) -> None:
    """What cannot be an id is as unknown as an id that is not there."""
    if not _PROPOSAL.fullmatch(proposal_id):
        raise not_found()


def _a_person_only(principal: Principal) -> None:
    own_people_only(principal)
    if not principal.person:
        raise Problem(403, "Forbidden", "Only a person can propose or decide.")
