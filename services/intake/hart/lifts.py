"""Lifting a recusal: one person asserts, another proposes to lift, a third eye confirms. Pure.

An assertion holds at once and by one person; taking it back opens what was closed, so it takes two.
"""

from dataclasses import dataclass

from shared.runtime.seen_text import same_person


@dataclass(frozen=True, slots=True)
class Lift:
    """How far the lifting of one recusal is."""

    proposed_by: str | None = None
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Goes:
    """The step is taken: append it."""


@dataclass(frozen=True, slots=True)
class Done:
    """It was taken before."""


@dataclass(frozen=True, slots=True)
class Unproposed:
    """Nobody has proposed it."""


@dataclass(frozen=True, slots=True)
class SameHands:
    """Who proposed it cannot confirm it."""


def propose(lift: Lift) -> Goes | Done:
    return Goes() if lift.proposed_by is None else Done()


def confirm(lift: Lift, caller: str) -> Goes | Done | Unproposed | SameHands:
    if lift.proposed_by is None:
        return Unproposed()
    if same_person(lift.proposed_by, caller):
        return SameHands()
    return Done() if lift.confirmed else Goes()
