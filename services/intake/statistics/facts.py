"""Coded facts: what the statistics know of one child in one referral. Pure.

No name, no date of birth, no id: codes, bands and the month; a town under a pseudonym. What is not
coded here is not countable, and stays sealed.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from services.intake.statistics import categories
from services.intake.statistics.categories import UNKNOWN
from services.intake.statistics.pseudonyms import Pseudonyms

_HERE = ZoneInfo("America/New_York")


@dataclass(frozen=True, slots=True)
class Keys:
    """Whose facts they are, as pseudonyms."""

    child: bytes
    referral: bytes
    person: bytes


@dataclass(frozen=True, slots=True)
class Facts:
    """One row. `month` counts from year 0 (year * 12 + month - 1), in Connecticut's time."""

    month: int
    race: str
    age_band: str
    residence: str
    gender: str
    ht_type: str
    venues: tuple[str, ...]
    towns: tuple[str, ...]
    facility: bytes | None = None
    identified: bool = False

    @property
    def year(self) -> int:
        return self.month // 12


def month_of(moment: datetime) -> int:
    """The month in which a referral was received, as people in Connecticut date it."""
    local = moment.astimezone(_HERE)
    return local.year * 12 + local.month - 1


def code(
    document: Mapping[str, Any],
    received_at: datetime,
    towns: Collection[str],
    pseudonyms: Pseudonyms,
    *,
    identified: bool = False,
) -> Facts:
    """What is countable of a child's document. An address-confidential child has no town (C25)."""
    facility = document.get("facility")
    return Facts(
        month=month_of(received_at),
        race=categories.race(document.get("race_ethnicity", ())),
        age_band=categories.age_band(
            _day(document.get("date_of_birth")),
            _day(document.get("victimised_on")),
            document.get("age_at_victimisation"),
            document.get("age_band"),
        ),
        residence=categories.one_of(
            categories.RESIDENCE, document.get("residence_at_exploitation"), "missing_unknown"
        ),
        gender=categories.one_of(categories.GENDER, document.get("sex")),
        ht_type=categories.one_of(categories.HT_TYPE, document.get("ht_type"), "other"),
        venues=categories.several_of(categories.VENUES, document.get("venues", ()), "other"),
        towns=_towns(document, towns, pseudonyms),
        facility=pseudonyms.facility(facility) if facility else None,
        identified=identified,
    )


def unreadable(received_at: datetime) -> Facts:
    """A child whose document does not open any more still counts, as unknown in every table."""
    return Facts(
        month=month_of(received_at),
        race=UNKNOWN,
        age_band=UNKNOWN,
        residence="missing_unknown",
        gender=UNKNOWN,
        ht_type="other",
        venues=(UNKNOWN,),
        towns=(UNKNOWN,),
    )


def _towns(
    document: Mapping[str, Any], towns: Collection[str], pseudonyms: Pseudonyms
) -> tuple[str, ...]:
    if document.get("address_confidential"):
        return (UNKNOWN,)
    named = {pseudonyms.town(town) for town in document.get("incident_towns", ()) if town in towns}
    kinds = {place["kind"] for place in document.get("incident_places", ())}
    placed = kinds & set(categories.PLACES) - {UNKNOWN}
    return tuple(sorted(named | placed)) or (UNKNOWN,)


def _day(value: object) -> date | None:
    return date.fromisoformat(value) if isinstance(value, str) else None
