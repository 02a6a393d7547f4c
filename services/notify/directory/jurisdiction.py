"""Where and when an agency polices: parts of towns, and hours. Pure.

Written as people write it in a table: `Groton/groton_city`, `Colchester@07:00-24:00`,
`Windham/willimantic@18:00-06:00`. Parts are intake's codes (`police_district`, `tribal_nation`).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

CONNECTICUT = ZoneInfo("America/New_York")
_DAY = 24 * 60
_BEAT = re.compile(
    r"(?P<town>[A-Z][A-Za-z ]*[A-Za-z])(?:/(?P<part>[a-z][a-z0-9_]*))?"
    r"(?:@(?P<opens>\d\d:\d\d)-(?P<closes>\d\d:\d\d))?"
)


@dataclass(frozen=True, slots=True)
class Hours:
    """From `opens` up to, and without, `closes`; minutes of the clock on a Connecticut wall.

    `closes` may be 1440, midnight; before `opens` it means the next morning.
    """

    opens: int
    closes: int

    def __post_init__(self) -> None:
        if not (0 <= self.opens < _DAY and 0 < self.closes <= _DAY and self.opens != self.closes):
            raise ValueError("hours are HH:MM-HH:MM, from 00:00-24:00, and not empty")

    def include(self, at: datetime) -> bool:
        """`at` is aware. By the clock on the wall, whatever daylight saving does to it."""
        local = at.astimezone(CONNECTICUT)
        minute = local.hour * 60 + local.minute
        if self.opens < self.closes:
            return self.opens <= minute < self.closes
        return minute >= self.opens or minute < self.closes

    def __str__(self) -> str:
        return f"{_clock(self.opens)}-{_clock(self.closes)}"


@dataclass(frozen=True, slots=True)
class Beat:
    """A town, or the part of it that has police of its own, at all hours or some."""

    town: str
    part: str | None = None
    hours: Hours | None = None

    @classmethod
    def parse(cls, written: str) -> "Beat":
        """Raises ValueError, saying how it is written."""
        found = _BEAT.fullmatch(written.strip())
        if found is None:
            raise ValueError("a beat is written Town/part@HH:MM-HH:MM; part and hours may be left")
        opens, closes = found["opens"], found["closes"]
        hours = Hours(_minutes(opens), _minutes(closes)) if opens else None
        return cls(found["town"], found["part"], hours)

    def open_at(self, at: datetime) -> bool:
        return self.hours is None or self.hours.include(at)

    def __str__(self) -> str:
        part = f"/{self.part}" if self.part else ""
        return f"{self.town}{part}{f'@{self.hours}' if self.hours else ''}"


def beats(written: Iterable[str]) -> tuple[Beat, ...]:
    return tuple(Beat.parse(each) for each in written)


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    if int(minutes) > 59:
        raise ValueError("a minute is 00 to 59")
    return int(hours) * 60 + int(minutes)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
