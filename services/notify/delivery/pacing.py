"""How much of an agency may leave now, where its record sets a limit. Pure."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

WINDOW = timedelta(minutes=1)
_A_RETRY_EVERY = 3
"""Where both wait: of three places two are of first tries, as of an agency's slots."""


class Waiting(Protocol):
    """A delivery that is due: tried before, or not."""

    @property
    def retry(self) -> bool: ...


W = TypeVar("W", bound=Waiting)


@dataclass(frozen=True, slots=True)
class Limit:
    """What the agency asked for; None: nothing."""

    in_flight: int | None
    per_minute: int | None


@dataclass(frozen=True, slots=True)
class Pace:
    """What has left of late. `turn` counts the places given, so that no lane is passed over."""

    departures: tuple[datetime, ...] = ()
    turn: int = 0


def room(limit: Limit, pace: Pace, open_attempts: int, now: datetime) -> int | None:
    """How many may leave now, of any minute no more than the limit; None: as many as there are."""
    places = []
    if limit.in_flight is not None:
        places.append(limit.in_flight - open_attempts)
    if limit.per_minute is not None:
        places.append(limit.per_minute - len(lately(pace, now)))
    return max(0, min(places)) if places else None


def lately(pace: Pace, now: datetime) -> tuple[datetime, ...]:
    """Of the last minute. A process whose clock is far ahead stops nobody for longer than that."""
    return tuple(each for each in pace.departures if abs(now - each) < WINDOW)


def choose(waiting: Sequence[W], places: int, turn: int) -> list[W]:
    """Who leaves, each lane in the order in which it waits: a withdrawal is overtaken by nothing
    that came after it, and no lane by the other for good."""
    first = deque(each for each in waiting if not each.retry)
    retries = deque(each for each in waiting if each.retry)
    chosen: list[W] = []
    while len(chosen) < places and (first or retries):
        of_retries = (turn + len(chosen)) % _A_RETRY_EVERY == _A_RETRY_EVERY - 1
        lane = retries if (of_retries and retries) or not first else first
        chosen.append(lane.popleft())
    return chosen


def after(limit: Limit, pace: Pace, leaving: int, now: datetime) -> Pace:
    """The pace once so many leave now."""
    times = () if limit.per_minute is None else (*lately(pace, now), *(now for _ in range(leaving)))
    return Pace(times, (pace.turn + leaving) % _A_RETRY_EVERY)
