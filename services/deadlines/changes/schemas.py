"""What the HTTP API of changed policies takes and answers."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.deadlines.changes.proposals import Proposal
from services.deadlines.policy import Policy
from services.deadlines.what_if import Difference
from shared.runtime.two_people import Reason

FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,80}$")]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PolicyIn(_Body):
    """A policy file. Nothing about a child belongs into it."""

    text: str = Field(min_length=1, max_length=20_000)
    file: FileName = "policy.yaml"


class ProposalIn(PolicyIn):
    reason: Reason


class DecisionIn(_Body):
    decision: Reason


class DifferenceOut(BaseModel):
    """How the clocks of a duty would have ended; `…_now`: as they did."""

    clocks: int
    missed: int
    clocks_now: int
    missed_now: int
    newly_missed: int
    no_longer_missed: int
    referrals: int
    complete: bool
    """False: there was not time for all referrals."""
    words: list[str]

    @classmethod
    def of(cls, found: Difference) -> "DifferenceOut":
        return cls(**asdict(found), words=found.lines)


class PolicyOut(BaseModel):
    policy: str
    version: str
    duty: str
    force: str
    citation: str | None
    source: str
    confidence: str
    words: str
    length: str
    effective_from: date | None
    effective_to: date | None
    rewrites: list[str]

    @classmethod
    def of(cls, policy: Policy) -> "PolicyOut":
        plain = {"length", "rewrites"}
        fields = {name: getattr(policy, name) for name in cls.model_fields if name not in plain}
        return cls(**fields, length=str(policy.length), rewrites=list(policy.rewrites))


class WhatIfOut(BaseModel):
    policy: PolicyOut
    difference: DifferenceOut


class ProposalOut(BaseModel):
    proposal_id: str
    policy: PolicyOut
    text: str
    difference: DifferenceOut
    reason: str
    state: str
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    decision: str | None

    @classmethod
    def of(cls, found: Proposal) -> "ProposalOut":
        made = {"policy", "difference"}
        fields = {name: getattr(found, name) for name in cls.model_fields if name not in made}
        policy, difference = PolicyOut.of(found.policy), DifferenceOut.of(found.difference)
        return cls(**fields, policy=policy, difference=difference)


class ProposalsOut(BaseModel):
    proposals: list[ProposalOut]
    next: str | None


class VersionOut(BaseModel):
    """One version that was ever used. `proposal_id`: where two people put it in force."""

    policy: PolicyOut
    known_since: datetime
    proposal_id: str | None
    proposed_by: str | None
    approved_by: str | None


class VersionsOut(BaseModel):
    versions: list[VersionOut]
