"""A year of made-up referrals to try rules on where none is on record. Pure, always the same.

As many as there were in 2017, 212, and their residences as counted then (presentation of 2018):
26 run away, 22 in foster homes, 19 in congregate care. Nothing else of them was ever counted: towns
go round the 169, and every kind of trafficking, place, officer and condition that a rule may look
at comes up, far more often than in life. It says whom rules would tell; it is no forecast of how
often.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from services.notify.directory.towns import judicial_districts
from services.notify.routing.facts import (
    CONNECTICUT,
    NATION_TOWNS,
    ChildFacts,
    Implicated,
    ImplicatedKind,
    Place,
    PlaceKind,
    ReferralFacts,
)
from services.notify.routing.replay import Past
from shared.contracts.codes import HtType, Trigger

REFERRALS = 212
_RUN_AWAY, _FOSTERED, _CONGREGATE = 26, 22, 19
_YEAR = timedelta(days=365)
_STRIDE = 53
"""Coprime to 169, so that the towns come up all over the state, each once before any twice."""


def sample_year(now: datetime) -> Iterator[Past]:
    """Received through the year before `now`, the oldest first, and routed by what holds now."""
    for number in range(REFERRALS):
        received = now - _YEAR * (REFERRALS - number) / REFERRALS
        trigger = Trigger.ONGOING_WORKER if number % 5 == 3 else Trigger.CARELINE
        facts = ReferralFacts(trigger, received, tuple(_children(number)))
        yield Past(f"sample_{number + 1}", 1, facts, now)


def _children(number: int) -> Iterator[ChildFacts]:
    """One, and in every tenth referral a sibling who lives elsewhere in the state."""
    yield _child(number)
    if number % 10 == 9:
        yield ChildFacts(f"sample_{number + 1}_2", HtType.OTHER, _town(number + 7))


def _child(number: int) -> ChildFacts:
    elsewhere = number % 23 == 5
    places = frozenset(_places(number))
    return ChildFacts(
        child_id=f"sample_{number + 1}_1",
        ht_type=tuple(HtType)[number % len(HtType)],
        residence_town=None if elsewhere or number % 29 == 7 else _town(number),
        incident_towns=frozenset() if places or number % 5 == 1 else frozenset({_town(number + 1)}),
        residence_state="NY" if elsewhere else CONNECTICUT,
        places=places,
        address_confidential=number % 41 == 11,
        missing_from_care=number < _RUN_AWAY,
        foreign_national=number % 17 == 4,
        travel_authorized=(None, False, True)[number % 3],
        implicated=frozenset(_implicated(number)),
    )


def _places(number: int) -> Iterator[Place]:
    kinds = (
        Place(PlaceKind.INTERNET),
        Place(PlaceKind.OUT_OF_STATE),
        Place(PlaceKind.TRIBAL_LAND, nation=sorted(NATION_TOWNS)[number % len(NATION_TOWNS)]),
        Place(PlaceKind.UNKNOWN),
        Place(PlaceKind.OUT_OF_COUNTRY),
    )
    if number % 8 == 2:
        yield kinds[number // 8 % len(kinds)]


def _implicated(number: int) -> Iterator[Implicated]:
    """Some homes and facilities of those in care; of the others, one of every kind in turn."""
    fostered = number - _RUN_AWAY
    if 0 <= fostered < _FOSTERED + _CONGREGATE:
        home = ImplicatedKind.FOSTER_HOME if fostered < _FOSTERED else ImplicatedKind.FACILITY
        if fostered % 6 == 0:
            yield Implicated(home)
    elif number % 9 == 0:
        yield Implicated(tuple(ImplicatedKind)[number // 9 % len(ImplicatedKind)])


def _town(number: int) -> str:
    towns = sorted(judicial_districts())
    return towns[number * _STRIDE % len(towns)]
