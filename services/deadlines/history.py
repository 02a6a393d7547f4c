"""What became of a clock, in lines that a person can read. Pure.

A line names the child, and the recipient or the consult, by their ids.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from services.deadlines.calendars import CONNECTICUT
from services.deadlines.clocks import Clock

Line = tuple[datetime, str]
_MATTERS = {"agy": "agency", "con": "consult"}


@dataclass(frozen=True, slots=True)
class Warned:
    """That it was not met so many minutes before `due_at`, said at `said_at`."""

    said_at: datetime
    due_at: datetime
    minutes: int


@dataclass(frozen=True, slots=True, order=True)
class Move:
    """The due time became another."""

    moved_at: datetime
    began_at: datetime
    """The beginning that it was counted from until then, by which it was `before_at`."""
    before_at: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Past:
    """What was said of a clock beside its breach and its correction, and how its time moved, each
    in the order in which it came about."""

    warnings: Sequence[Warned] = ()
    moves: Sequence[Move] = ()


def history(clock: Clock, past: Past) -> list[Line]:
    """A line each, oldest first, in Connecticut's time: what was said, when it was said."""
    name = _name(clock)
    later = [(at, f"{name}: {words}") for at, words in (*_past(past), *_ends(clock))]
    began_at, due_at = clock.standing.basis_at, clock.standing.due_at
    if past.moves:
        began_at, due_at = past.moves[0].began_at, past.moves[0].before_at
    return [(began_at, f"{name}: the clock began; due {_local(due_at)}."), *sorted(later)]


def _name(clock: Clock) -> str:
    name = f"{clock.policy} ({clock.duty.replace('_', ' ')}), child {clock.child_id}"
    if not clock.matter:
        return name
    return f"{name}, {_MATTERS.get(clock.matter[:3], 'matter')} {clock.matter}"


def _past(past: Past) -> Iterator[Line]:
    for each in past.warnings:
        yield each.said_at, f"not met, due {_local(each.due_at)}; people were warned."
    for move in past.moves:
        yield (
            move.moved_at,
            f"the due time moved from {_local(move.before_at)} to {_local(move.due_at)}.",
        )


def _ends(clock: Clock) -> Iterator[Line]:
    standing, breach = clock.standing, clock.breach
    if breach is not None:
        why = (breach.reason or "unknown").replace("_", " ")
        yield breach.due_at, f"ran out ({why}); noticed {_local(breach.discovered_at)}."
    if standing.satisfied_at is not None:
        what = "the duty ended" if standing.released else "the duty was met"
        due_at = standing.due_at if breach is None else min(standing.due_at, breach.due_at)
        when = "in time" if standing.satisfied_at <= due_at else "late"
        yield standing.satisfied_at, f"{what}, {when}."
    if clock.correction is not None:
        words = "found to have been met in time after all; the breach is corrected."
        yield clock.correction.discovered_at, words


def _local(moment: datetime) -> str:
    return f"{moment.astimezone(ZoneInfo(CONNECTICUT)):%Y-%m-%d %H:%M %Z}"
