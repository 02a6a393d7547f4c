"""A referral's legs as the API shows them, and what of them an agency sees. Pure.

A suppressed agency must not be able to tell (P10): it sees what it holds, as it was, and of the
rest what it would see had the rest never been (P3, P8). So does one whose authority lapsed, lest
the two differ.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

_STOPPED = ("refused", "superseded", "withdrawn")


@dataclass(frozen=True, slots=True)
class LegStatus:
    """One leg of a referral: who had to be told, why, and how far it has come."""

    notice_id: str
    child_id: str
    agency_id: str | None
    role: str
    recipient: str | None
    because: str
    version: int
    kind: str
    state: str
    reason: str | None
    attempts: int
    planned_at: datetime
    delivered_at: datetime | None
    authority: str | None
    rule: str
    rules_version: str
    directory_version: int
    profile: str | None
    fields: Sequence[str]
    also: Sequence[str]
    """Further roles for which this notice counts."""
    may_hold: bool
    """An attempt was made, or is open, of which it is not certain that nothing was sent."""
    in_conflict: bool
    opened_at: datetime | None = None
    """By a person of its own, or when it was told by word of mouth."""
    acknowledged_at: datetime | None = None
    told_orally: bool = False
    unread: bool = False
    """A pointer arrived, and nobody has opened it since."""
    held: bool = False
    """Nothing is sent to its agency for now."""
    recalled: bool = False
    conflict_lifted: bool = False
    """It was ended by a conflict that holds no more."""
    closed_because: str | None = None
    """Why a person closed it: a code."""
    next_attempt_at: datetime | None = None
    """The next attempt comes then, or as soon as its agency takes another. None: none is due."""
    held_by: Sequence[str] = ()
    """The open halts that keep it back."""
    barred_for: Sequence[str] = ()
    """Of `in_conflict`: the grounds in force, as codes."""
    last_answer: str | None = None
    """A status, what kept it from being sent, or `unknown`."""


def as_its_agency_sees(legs: Iterable[LegStatus]) -> list[LegStatus]:
    """Its own legs, the oldest version first, without what never reached it and never will."""
    seen = [leg for leg in legs if _is_seen(leg)]
    return [_as_it_was(leg, seen) for leg in seen]


def _is_seen(leg: LegStatus) -> bool:
    if leg.may_hold:
        return True
    return not leg.in_conflict and leg.state not in _STOPPED


def _as_it_was(leg: LegStatus, seen: list[LegStatus]) -> LegStatus:
    """Stopped looks like waiting, unless a later version that it sees says why; when either is
    tried next is not shown, lest they differ, nor who keeps it back or how it was answered."""
    later = any(each.child_id == leg.child_id and each.version > leg.version for each in seen)
    stopped = leg.state in _STOPPED and not later
    leg = replace(leg, also=(), next_attempt_at=None, held_by=(), last_answer=None)
    return replace(leg, state="pending") if stopped else leg
