"""What a look at a running system found: how bad, in plain words, and what to do."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import IntEnum
from typing import Any, Self

SOON = timedelta(days=30)
"""How long before its end a thing is spoken of."""
AGAIN = "Look again in a minute"
"""How the `do` begins of what mostly mends itself, and is bad if it does not."""


class Level(IntEnum):
    """The worst of all is the exit code."""

    WELL = 0
    LOOK = 1
    """In the next working hour."""
    ACT = 2
    """Now."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. No personal data and no secret, whatever was found."""

    level: Level
    about: str
    """Which service and what of it: `notify, keys`."""
    says: str
    do: str = ""
    """What to do; empty when all is well."""

    def as_json(self) -> dict[str, str]:
        return {
            "level": self.level.name.lower(),
            "about": self.about,
            "says": self.says,
            "do": self.do,
        }

    @classmethod
    def of_json(cls, said: Mapping[str, Any]) -> Self:
        """Raises KeyError for what is none."""
        level = Level[str(said["level"]).upper()]
        return cls(level, str(said["about"]), str(said["says"]), str(said["do"]))


def well(about: str, says: str) -> Finding:
    return Finding(Level.WELL, about, says)


def look(about: str, says: str, do: str) -> Finding:
    return Finding(Level.LOOK, about, says, do)


def act(about: str, says: str, do: str) -> Finding:
    return Finding(Level.ACT, about, says, do)


def worst(findings: Iterable[Finding]) -> Level:
    return max((finding.level for finding in findings), default=Level.WELL)


def ending(about: str, what: str, ends: date, today: date, do: str) -> Finding:
    """Of a thing that ends: it has, it will within SOON, or it has time."""
    if ends < today:
        return act(about, f"{what} ended on {ends.isoformat()}.", do)
    if ends <= today + SOON:
        return look(about, f"{what} ends on {ends.isoformat()}.", do)
    return well(about, f"{what} ends on {ends.isoformat()}.")


def clock(about: str, host: datetime, other: datetime, uncertain: timedelta) -> Finding:
    """`host` is this host's time in the middle of asking; `uncertain`, half of how long it took."""
    off = max(abs(host - other) - uncertain, timedelta(0))
    says = f"differs from this host's by {off.total_seconds():.3f} s at least."
    if off > timedelta(seconds=1):
        return act(about, says, "Mend the time source (NTP) of the host that is wrong: clocks run.")
    if off > timedelta(milliseconds=100):
        return look(about, says, "See that both hosts have a time source (NTP).")
    return well(about, "agrees with this host's within 0.1 s.")
