"""When content of a child may be destroyed, and who must say so. Pure.

The accounting of it is never destroyed (CGS 4-193(c): five years, or the record's life if longer).
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from shared.runtime.seen_text import same_person


class Ground(StrEnum):
    """Why content is destroyed (C29). Our list."""

    SEALED = "sealed"
    ERASED = "erased"
    VACATED = "vacated"
    ADOPTION = "adoption"
    NAME_CHANGE = "name_change"
    RETENTION = "retention"
    """Its time is over, and nobody ordered it."""


class State(StrEnum):
    ASKED = "asked"
    APPROVED = "approved"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Shredding:
    """One person's request that a child's content be destroyed, and how far it is."""

    shredding_id: str
    child_id: str
    referral_id: str
    ground: Ground
    citation: str
    state: State
    asked_by: str
    asked_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    ordered_at: datetime | None = None
    completed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """While it is in force, nothing of this child is destroyed."""

    hold_id: str
    child_id: str
    citation: str
    placed_by: str
    placed_at: datetime
    release_asked_by: str | None = None
    release_asked_at: datetime | None = None
    released_by: str | None = None
    released_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OnHold:
    """A legal hold forbids it."""


@dataclass(frozen=True, slots=True)
class TooEarly:
    """The ordinary retention has not run out: something happened less than `years` ago."""

    years: int


@dataclass(frozen=True, slots=True)
class SamePerson:
    """Who asked cannot be the second one."""


@dataclass(frozen=True, slots=True)
class AlreadySettled:
    """It was decided before; or this child's content is asked about, or destroyed, already."""


@dataclass(frozen=True, slots=True)
class UnderDestruction:
    """Two people have ordered its destruction: a hold comes too late."""


Obstacle = OnHold | TooEarly | SamePerson | AlreadySettled | UnderDestruction


def years_before(now: datetime, years: int) -> datetime:
    """The same day, that many years ago; of a 29 February the 28th."""
    try:
        return now.replace(year=now.year - years)
    except ValueError:
        return now.replace(year=now.year - years, day=28)


def obstacle(
    ground: Ground, last: datetime | None, held: bool, years: int, now: datetime
) -> OnHold | TooEarly | None:
    """What forbids asking, and approving. `last`: the last entry that speaks of the child."""
    if held:
        return OnHold()
    if ground is Ground.RETENTION and (last is None or last > years_before(now, years)):
        return TooEarly(years)
    return None


def approve(asked: Shredding, by: str, now: datetime) -> Shredding | SamePerson | AlreadySettled:
    if asked.state is not State.ASKED:
        return AlreadySettled()
    if same_person(asked.asked_by, by):
        return SamePerson()
    return replace(asked, state=State.APPROVED, decided_by=by, decided_at=now)


def refuse(asked: Shredding, by: str, now: datetime) -> Shredding | AlreadySettled:
    """Whoever asked may take it back; anybody may refuse."""
    if asked.state is not State.ASKED:
        return AlreadySettled()
    return replace(asked, state=State.REFUSED, decided_by=by, decided_at=now)


def release(held: Hold, by: str, now: datetime) -> Hold | SamePerson | AlreadySettled:
    """One person asks, another releases."""
    if held.released_at is not None:
        return AlreadySettled()
    if held.release_asked_by is None:
        return replace(held, release_asked_by=by, release_asked_at=now)
    if same_person(held.release_asked_by, by):
        return SamePerson()
    return replace(held, released_by=by, released_at=now)
