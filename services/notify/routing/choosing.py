"""Which agencies a rule finds for a child, and what ties each of them to it in words. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from typing import assert_never

from services.notify.directory.agencies import Agency, Kind
from services.notify.directory.register import Directory
from services.notify.routing.facts import NATION_TOWNS, ChildFacts, Place, PlaceKind
from services.notify.routing.rule import Rule, Selector

Tied = tuple[Agency, str]
"""An agency and its tie to the child. Never a town's name: it may be the secret."""

INCIDENT, RESIDENCE = "incident town", "residence town"


def choose(child: ChildFacts, rule: Rule, directory: Directory, at: datetime) -> list[Tied]:
    """The agencies of a rule, each once. `at`: by which hour police that share a town share it,
    where the hour of the incident is not known; the time of receipt, so that versions agree."""
    match rule.select:
        case Selector.POLICE_OF_TOWNS:
            return once(_police(child, directory, at))
        case Selector.MDT_OF_DISTRICT:
            return once(_mdt(child, directory))
        case Selector.OFFICE_OF_TOWNS:
            assert rule.kind is not None
            return once(_office(child, rule.kind, directory))
        case Selector.STATEWIDE:
            assert rule.kind is not None
            return once((agency, "statewide") for agency in directory.of_kind(rule.kind))
        case _:
            assert_never(rule.select)


class Gap(StrEnum):
    """What a person must find out before it is certain that every police agency is told."""

    NO_TOWN = "no_town"
    """Of Connecticut, by which anybody may be told."""
    ELSEWHERE = "elsewhere"
    """Nothing that is known happened in Connecticut, and the child lives in another state."""
    INCIDENT = "incident_unknown"
    """A town is known, and it is not where it happened, or not everywhere that it did."""
    UNPOLICED = "unpoliced"
    """Nobody on file polices one of the towns."""
    PART = "part_unknown"
    """A part of the incident town has police of its own, and nobody says which part it was."""


OPEN_TOWNS = {
    Gap.NO_TOWN: "no town of Connecticut is known by which anybody may be told; the State Police, "
    "or who stands in for them, are told.",
    Gap.ELSEWHERE: "it happened outside Connecticut or on the internet, and the child lives in "
    "another state: no town of Connecticut is anybody's. The State Police and the FBI, or who "
    "stands in for them, are told; whom to ask of the other state, and by what authority, the "
    "Interstate Compact Office knows.",
    Gap.INCIDENT: "where it happened, or where else, is not known. The police of the towns that "
    "are known, or who stands in for them, are told; those of the place itself may not be.",
    Gap.UNPOLICED: "no police agency on file polices one of the towns; the State Police, or who "
    "stands in for them, are told.",
    Gap.PART: "a part of the incident town has police of its own, and nobody says in which part "
    "it happened. The police of the town as a whole, or who stands in for them, are told.",
}
"""In words, each a sentence: what is open, and who is told meanwhile. Never a town's name."""


def gaps(child: ChildFacts, directory: Directory) -> tuple[Gap, ...]:
    """None for a child whose residence alone says who, because what happened is known to have
    happened elsewhere, nor for one whose residence is protected and was the only thing to ask."""
    found = []
    if not child.towns:
        found += _without_a_town(child)
    elif _incident_is_open(child):
        found.append(Gap.INCIDENT)
    if any(not directory.police_of(town) for town in child.towns):
        found.append(Gap.UNPOLICED)
    lands = any(p.kind is PlaceKind.TRIBAL_LAND and p.part is None and p.town for p in child.places)
    if lands or any(directory.is_parted(town) for town in _without_part(child)):
        found.append(Gap.PART)
    return tuple(found)


def _without_a_town(child: ChildFacts) -> list[Gap]:
    if not child.only_outside:
        return [Gap.NO_TOWN]
    if child.address_confidential:
        return []
    return [Gap.ELSEWHERE if child.lives_elsewhere else Gap.NO_TOWN]


def _incident_is_open(child: ChildFacts) -> bool:
    if any(place.is_somewhere or place.contradicts for place in child.places):
        return True
    return not child.only_outside and not _incident(child)


def _without_part(child: ChildFacts) -> frozenset[str]:
    """Incident towns of which it is not said in which part of them."""
    placed = frozenset(place.lies_in for place in child.places)
    whole = frozenset(place.lies_in for place in child.places if place.part is None)
    return _incident(child) & whole | _incident(child) - placed


def _is_stood_in_for(child: ChildFacts, directory: Directory) -> bool:
    """Whether the State Police are told for police who are not known.

    Not where the town of residence is known and of the incident nothing is said: its police are.
    """
    found = gaps(child, directory)
    unknown = any(place.is_somewhere for place in child.places)
    nowhere = unknown and not child.incident_towns
    return nowhere or not {Gap.NO_TOWN, Gap.ELSEWHERE, Gap.UNPOLICED}.isdisjoint(found)


def once(chosen: Iterable[Tied]) -> list[Tied]:
    """An agency that serves two towns of a child is told once, for both reasons."""
    ordered = sorted(chosen, key=lambda pair: (pair[0].agency_id, pair[1]))
    merged = []
    for _, pairs in groupby(ordered, key=lambda pair: pair[0].agency_id):
        each = list(pairs)
        merged.append((each[0][0], " and ".join(dict.fromkeys(word for _, word in each))))
    return merged


def _police(child: ChildFacts, directory: Directory, at: datetime) -> Iterator[Tied]:
    """The duty is never dropped: while a town is unresolved the State Police are told as well."""
    placed = {place.lies_in for place in child.places}
    for place in child.places:
        yield from _police_of_place(place, directory, at)
    for town in child.incident_towns - placed:
        found = directory.police_of(town, at=at)
        yield from ((agency, _beat(agency, town, INCIDENT)) for agency in found)
    if child.home is not None:
        home, found = child.home, directory.police_of(child.home, at=at)
        yield from ((agency, _beat(agency, home, RESIDENCE)) for agency in found)
    if child.address_confidential:
        yield from _statewide(directory, "in place of the residence town's police")
    if _is_stood_in_for(child, directory):
        yield from _statewide(directory, "town unresolved")


def _police_of_place(place: Place, directory: Directory, at: datetime) -> Iterator[Tied]:
    town, at = place.lies_in, place.occurred_at or at
    if place.kind is PlaceKind.TRIBAL_LAND:
        yield from _statewide(directory, "felonies on tribal land")
    if town is None:
        return
    found = directory.police_of(town, district=place.part, at=at)
    if place.kind is PlaceKind.TRIBAL_LAND:
        yield from ((agency, "tribal land") for agency in [*found, *_tribal(place, directory)])
    else:
        yield from ((agency, _beat(agency, town, INCIDENT)) for agency in found)


def _tribal(place: Place, directory: Directory) -> list[Agency]:
    """The nation's police where its land is said to lie in another town; where no nation is named,
    those of every nation with land in this one."""
    tribal = directory.of_kind(Kind.TRIBAL_POLICE)
    if place.nation is None:
        return [each for each in tribal if place.town in {beat.town for beat in each.beats}]
    if not place.contradicts:
        return []
    theirs = directory.police_of(NATION_TOWNS[place.nation], district=place.nation)
    return [each for each in theirs if each in tribal]


def _beat(agency: Agency, town: str, word: str) -> str:
    """Why these police of several of the town: their part of it, or the hour."""
    mine = [beat for beat in agency.beats if beat.town == town]
    if town in agency.towns or not mine:
        return word
    part = f"its part of the {word}" if all(beat.part for beat in mine) else word
    return f"{part} at that hour" if all(beat.hours for beat in mine) else part


def _statewide(directory: Directory, word: str) -> Iterator[Tied]:
    return ((agency, word) for agency in directory.statewide_police())


def _mdt(child: ChildFacts, directory: Directory) -> Iterator[Tied]:
    """The team of the incident leads; that of the residence takes part, and leads without one."""
    incident = _incident(child)
    for town in incident:
        yield from ((agency, INCIDENT) for agency in directory.mdt_of(town))
    if child.home is not None:
        word = f"{RESIDENCE}, as participant" if incident else RESIDENCE
        leading = {agency.agency_id for town in incident for agency in directory.mdt_of(town)}
        for agency in directory.mdt_of(child.home):
            if agency.agency_id not in leading:
                yield agency, word


def _incident(child: ChildFacts) -> frozenset[str]:
    placed = (place.lies_in for place in child.places)
    return child.incident_towns | frozenset(town for town in placed if town is not None)


def _office(child: ChildFacts, kind: Kind, directory: Directory) -> Iterator[Tied]:
    if child.home is not None:
        return ((agency, RESIDENCE) for agency in directory.office_of(child.home, kind))
    towns = _incident(child)
    if not towns:
        return ((agency, "town not known") for agency in directory.office_of("", kind))
    return ((agency, INCIDENT) for town in towns for agency in directory.office_of(town, kind))
