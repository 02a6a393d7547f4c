"""A policy that is proposed: what must hold before another person may approve it. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from services.deadlines.book import PolicyBook
from services.deadlines.calendars import midnight
from services.deadlines.policy import Policy, first_gap
from services.deadlines.policy_files import Calendars, read
from services.deadlines.what_if import Difference
from services.deadlines.yaml_models import Flaw, line_of
from shared.runtime.seen_text import same_person

AHEAD = timedelta(minutes=1)
"""Between an approval and its first day: every process has read it by then (`watching.EVERY`)."""


class ProposalState(StrEnum):
    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    """Taken back by whoever made it."""


@dataclass(frozen=True, slots=True)
class Proposal:
    proposal_id: str
    policy: Policy
    text: str
    against: tuple[str, ...]
    """The versions that governed its duty when its difference was computed."""
    difference: Difference
    effective_from: date
    reason: str
    state: ProposalState
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    decision: str | None = None


@dataclass(frozen=True, slots=True)
class Proposed:
    proposal: Proposal


@dataclass(frozen=True, slots=True)
class Flawed:
    """Nothing was stored."""

    flaws: Sequence[Flaw]


@dataclass(frozen=True, slots=True)
class Decided:
    proposal: Proposal


@dataclass(frozen=True, slots=True)
class AlreadyDecided:
    pass


@dataclass(frozen=True, slots=True)
class SamePerson:
    """Whoever proposed it may take it back, and not approve it."""


@dataclass(frozen=True, slots=True)
class OutOfDate:
    """Its day is too near, or its duty is governed otherwise than when it was asked of the past."""


@dataclass(frozen=True, slots=True)
class Unknown:
    pass


Decision = Decided | AlreadyDecided | SamePerson | OutOfDate | Unknown


def examine(
    text: str, file: str, calendars: Calendars, book: PolicyBook, today: date
) -> Policy | list[Flaw]:
    """The policy that a file holds, or all that is wrong with it, with file, line and mend."""
    path = Path(file)
    found = read(path, calendars, text)
    if not isinstance(found, Policy):
        return found
    return [
        Flaw(path, line_of(text, key), mend) for key, mend in _wrong(found, book, today)
    ] or found


def governs(book: PolicyBook, duty: str) -> tuple[str, ...]:
    """The versions that share a duty now, for comparing."""
    return tuple(sorted(" ".join(each.key) for each in book.of_duty(duty)))


def new_state(proposal: Proposal, person: str, *, approve: bool) -> ProposalState | None:
    """What the person's decision makes of an open proposal; None: not theirs to make."""
    if not same_person(person, proposal.proposed_by):
        return ProposalState.APPROVED if approve else ProposalState.REJECTED
    return None if approve else ProposalState.WITHDRAWN


def still_fits(proposal: Proposal, book: PolicyBook, now: datetime) -> bool:
    in_time = midnight(proposal.effective_from) - now >= AHEAD
    return in_time and proposal.against == governs(book, proposal.policy.duty)


def _wrong(policy: Policy, book: PolicyBook, today: date) -> Iterator[tuple[str, str]]:
    """The key and the mend."""
    first = policy.effective_from
    if first is None or first <= today:
        yield "effective_from", "give an `effective_from` after today: nothing changes backwards."
    if book.knows(policy.key):
        yield "version", "this version is there already: count it up."
    if other := next((e for e in book.versions(policy.policy) if e.duty != policy.duty), None):
        yield "duty", f"the duty of {policy.policy} is `{other.duty}`: another one is a new policy."
    current = [each for each in book.current.values() if each.policy == policy.policy]
    if (day := first_gap([*current, policy])) is not None:
        yield "effective_from", f"no version of {policy.policy} governs from {day} on: begin then."
    yield from _wrong_rewrites(policy, book)
    for other in book.of_duty(policy.duty):
        if policy.collides_with(other) and other.begins >= (first or today):
            mend = f"{other.policy} {other.version} begins later or on that day and governs then."
            yield "effective_from", f"{mend} Let it begin after that."


def _wrong_rewrites(policy: Policy, book: PolicyBook) -> Iterator[tuple[str, str]]:
    for version in policy.rewrites:
        if not book.knows((policy.policy, version)):
            yield "rewrites", "`rewrites` names a version that there is not: name earlier ones."
        elif heir := book.heir((policy.policy, version)):
            mend = f"{version} goes over to {heir.version} already: name that one."
            yield "rewrites", mend
