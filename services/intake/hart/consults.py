"""The rules of a HART consult: a state machine over an append-only history. Pure: `now` comes in.

Policy 21-14: consult on all possible cases within 72 hours of the request, enter within five days.
How long is deadlines' business; here it is decided what happened, and when it began (C30).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

GRACE = timedelta(minutes=5)
"""How far a caller's clock may be ahead of ours."""


class Step(StrEnum):
    """What a history is made of."""

    REQUESTED = "requested"
    ASSIGNED = "assigned"
    COMPLETED = "completed"
    ENTERED = "entered"
    SHARE_REQUESTED = "share_requested"


class State(StrEnum):
    """How far a consult has come."""

    REQUESTED = "requested"
    COMPLETED = "completed"
    ENTERED = "entered"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a consult's history. `person`: the liaison, in an assignment; else the actor."""

    step: Step
    person: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Consult:
    """What a history amounts to. `entries` counts its lines."""

    state: State
    started_at: datetime
    requesters: frozenset[str]
    liaisons: frozenset[str]
    entries: int
    completed_at: datetime | None = None
    entered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Opens:
    """The request opens a consult, and its clock starts."""


@dataclass(frozen=True, slots=True)
class Joins:
    """The request joins the consult there is. `started_at` is the earliest request."""

    started_at: datetime


@dataclass(frozen=True, slots=True)
class Takes:
    """The step is taken: append it."""


@dataclass(frozen=True, slots=True)
class NotYet:
    """An earlier step is missing. `missing` names it."""

    missing: Step


@dataclass(frozen=True, slots=True)
class Already:
    """The step was taken before, with another content; it is not taken twice."""


@dataclass(frozen=True, slots=True)
class OutOfTime:
    """It cannot have happened then: before what it follows, or in the future."""


@dataclass(frozen=True, slots=True)
class NotTheirs:
    """For this person the consult does not exist."""


@dataclass(frozen=True, slots=True)
class Conflicted:
    """The liaison has a conflict of interest: another one must take it."""


def fold(history: Iterable[Entry]) -> Consult | None:
    """What a history, in its order, amounts to; None if it is empty."""
    consult: Consult | None = None
    for entry in history:
        consult = _with(consult, entry)
    return consult


def request(
    latest: Consult | None, at: datetime, now: datetime, *, new_facts: bool
) -> Opens | Joins | OutOfTime:
    """What a request comes to, given the child's latest consult.

    While one is open it joins: the clock that runs is the stricter one. Once that is completed,
    new facts open another; without them the answer is already there.
    """
    if at > now + GRACE:
        return OutOfTime()
    if latest is None or (new_facts and latest.state is not State.REQUESTED):
        return Opens()
    return Joins(min(latest.started_at, at))


def assign(
    consult: Consult, person: str, *, recused: bool, conflicted: bool
) -> Takes | Already | NotTheirs | Conflicted:
    """Whether a liaison takes the consult. `recused` is who assigns, `conflicted` the liaison."""
    if recused:
        return NotTheirs()
    if conflicted:
        return Conflicted()
    return Already() if person in consult.liaisons else Takes()


def complete(
    consult: Consult, by: str, at: datetime, now: datetime, *, recused: bool
) -> Takes | Already | OutOfTime | NotTheirs:
    """Only a liaison to whom it is assigned and who has no conflict completes a consult (C17)."""
    if recused or by not in consult.liaisons:
        return NotTheirs()
    if consult.state is not State.REQUESTED:
        return Already()
    return Takes() if consult.started_at <= at <= now + GRACE else OutOfTime()


def enter(
    consult: Consult, by: str, at: datetime, now: datetime, *, recused: bool
) -> Takes | Already | NotYet | OutOfTime | NotTheirs:
    """Whether the consult may be recorded as entered in the case system."""
    if recused or by not in consult.liaisons:
        return NotTheirs()
    if consult.completed_at is None:
        return NotYet(Step.COMPLETED)
    if consult.state is State.ENTERED:
        return Already()
    return Takes() if consult.completed_at <= at <= now + GRACE else OutOfTime()


def share(consult: Consult, by: str, *, recused: bool) -> Takes | NotYet | NotTheirs:
    """Whether the outcome may be shared with the MDT: there must be one."""
    if recused or by not in consult.requesters | consult.liaisons:
        return NotTheirs()
    return NotYet(Step.COMPLETED) if consult.completed_at is None else Takes()


def read(consult: Consult, by: str, *, recused: bool, breaking_glass: bool) -> Takes | NotTheirs:
    """Who may read: its requesters and liaisons, and whoever breaks the glass; never who is
    recused, whose conflict no emergency lifts (C17)."""
    if recused:
        return NotTheirs()
    concerned = by in consult.requesters | consult.liaisons
    return Takes() if concerned or breaking_glass else NotTheirs()


def _with(consult: Consult | None, entry: Entry) -> Consult:
    if consult is None:
        assert entry.step is Step.REQUESTED
        who = frozenset({entry.person})
        return Consult(State.REQUESTED, entry.occurred_at, who, frozenset(), 1)
    changes: dict[str, object] = {"entries": consult.entries + 1}
    match entry.step:
        case Step.REQUESTED:
            changes["requesters"] = consult.requesters | {entry.person}
            changes["started_at"] = min(consult.started_at, entry.occurred_at)
        case Step.ASSIGNED:
            changes["liaisons"] = consult.liaisons | {entry.person}
        case Step.COMPLETED:
            changes |= {"state": State.COMPLETED, "completed_at": entry.occurred_at}
        case Step.ENTERED:
            changes |= {"state": State.ENTERED, "entered_at": entry.occurred_at}
        case Step.SHARE_REQUESTED:
            pass
    return replace(consult, **changes)  # type: ignore[arg-type]
