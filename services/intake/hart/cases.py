"""Open cases flagged for trafficking that have no DCF-737 yet (policy 21-14). Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Flag:
    """A case was flagged; `linked`: its DCF-737 is known, `found`: it was reported missing."""

    flag_id: str
    flagged_at: datetime
    linked: bool = False
    found: bool = False


@dataclass(frozen=True, slots=True)
class Raises:
    """A flag of its own: the case has none, or its last one has its 737 and this is new."""


@dataclass(frozen=True, slots=True)
class Joins:
    """The case is flagged already and still waits; that flag's time stands."""

    flag_id: str


def flag(latest: Flag | None) -> Raises | Joins:
    """What flagging a case comes to, given its latest flag."""
    return Raises() if latest is None or latest.linked else Joins(latest.flag_id)


def unreported(flags: Sequence[Flag], now: datetime, patience: timedelta) -> list[Flag]:
    """The flagged cases that have waited for a DCF-737 for `patience` and are not reported yet."""
    return [
        each
        for each in flags
        if not each.linked and not each.found and each.flagged_at + patience <= now
    ]
