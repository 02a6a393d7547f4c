"""The HART Director's triage: every DCF-737 is reviewed, accepted or not (policy 21-14). Pure."""

from dataclasses import dataclass
from enum import StrEnum


class Destination(StrEnum):
    """Where the Director sends a 737."""

    REGIONAL_TEAM = "regional_team"
    MDT = "mdt"
    NOWHERE = "nowhere"
    """Read, and nothing further is due."""


@dataclass(frozen=True, slots=True)
class Item:
    """A 737 as the reviewer left it. `read`: this reviewer's view of this version is on record."""

    current: int
    reviewed: int
    read: bool


@dataclass(frozen=True, slots=True)
class Reviews:
    """The review stands, for this version."""


@dataclass(frozen=True, slots=True)
class Stale:
    """The referral has a newer version than the one reviewed."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Nobody reviews what they have not read."""


def review(item: Item) -> Reviews | Stale | Unread:
    """Whether a review counts. A later version makes the 737 wait again."""
    if item.reviewed != item.current:
        return Stale()
    return Reviews() if item.read else Unread()
