"""Maker and checker: what one person proposes takes effect when another has approved it.

For whatever needs two people: `ProposalKind` says what, a `Proposable` does it in the transaction
that approves. Values and rules only; see proposal_store for the SQL.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from shared.runtime.db import Session
from shared.runtime.two_people import same_person


class ProposalKind(StrEnum):
    DIRECTORY = "directory"
    RULES = "rules"
    RELEASE = "release"
    """Deliveries of a restored database."""
    REDRIVE = "redrive"
    ROSTER = "roster"


class ProposalState(StrEnum):
    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    """Taken back by whoever made it."""


@dataclass(frozen=True, slots=True)
class Proposal:
    proposal_id: str
    kind: ProposalKind
    summary: str
    body: Mapping[str, Any]
    reason: str
    state: ProposalState
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    decision: str | None = None


class OutOfDate(Exception):
    """What the proposal was made against has changed: look again, and propose anew."""


Applier = Callable[[Session, Proposal, datetime], Awaitable[None]]
"""Puts a proposal into effect with the caller's session. Raises OutOfDate, having done nothing."""


@dataclass(frozen=True, slots=True)
class Proposable:
    """What a kind of proposal does, and how its body reads to whoever is to approve it."""

    apply: Applier
    describe: Callable[[Mapping[str, Any]], list[str]]


Proposables = Mapping[ProposalKind, Proposable]


@dataclass(frozen=True, slots=True)
class Decided:
    proposal: Proposal


@dataclass(frozen=True, slots=True)
class AlreadyDecided:
    proposal: Proposal


@dataclass(frozen=True, slots=True)
class SamePerson:
    """Whoever proposed it may take it back, and not approve it."""


@dataclass(frozen=True, slots=True)
class Unknown:
    pass


Decision = Decided | AlreadyDecided | SamePerson | Unknown


def new_state(proposal: Proposal, person: str, *, approve: bool) -> ProposalState | None:
    """What the person's decision makes of an open proposal; None: not theirs to make."""
    if not same_person(person, proposal.proposed_by):
        return ProposalState.APPROVED if approve else ProposalState.REJECTED
    return None if approve else ProposalState.WITHDRAWN
