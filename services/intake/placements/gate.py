"""The placement gate and repatriation: what must be on record before a person may go on. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

VICTIM_STATUS = "victim_status"


@dataclass(frozen=True, slots=True)
class Confirms:
    """The facility was told, and that telling is on record: the placement may be confirmed."""


@dataclass(frozen=True, slots=True)
class NotTold:
    """No telling of the victim status is on record: a disclosure comes first (policy 21-14)."""


@dataclass(frozen=True, slots=True)
class Implicated:
    """The facility is implicated in the allegation: nobody is placed there (C18)."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """It was confirmed before."""


def confirm(
    told: Iterable[str], *, implicated: bool, confirmed: bool
) -> Confirms | NotTold | Implicated | Confirmed:
    """Whether a placement may be confirmed; `told` are the fields that its tellings disclosed."""
    if implicated:
        return Implicated()
    if confirmed:
        return Confirmed()
    return Confirms() if VICTIM_STATUS in set(told) else NotTold()


class Finding(StrEnum):
    """The two questions of policy 21-14; neither answers the other."""

    BEST_INTEREST = "best_interest"
    NO_RETRAFFICKING_RISK = "no_retrafficking_risk"


@dataclass(frozen=True, slots=True)
class Determination:
    """One recorded answer to one question."""

    finding: Finding
    holds: bool


@dataclass(frozen=True, slots=True)
class Permits:
    """Both are determined, and both hold."""


@dataclass(frozen=True, slots=True)
class Refuses:
    """What is not determined yet, and what was determined not to hold."""

    missing: tuple[Finding, ...]
    against: tuple[Finding, ...]


def repatriate(determinations: Iterable[Determination]) -> Permits | Refuses:
    """Repatriation needs both. Determinations come oldest first; the latest of each counts."""
    latest = {each.finding: each.holds for each in determinations}
    missing = tuple(each for each in Finding if each not in latest)
    against = tuple(each for each in Finding if latest.get(each) is False)
    return Refuses(missing, against) if missing or against else Permits()
