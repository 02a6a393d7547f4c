"""Who may learn nothing of a child because it, or one of its people, is implicated (P3). Pure.

A named agency is meant alone. Where the caller names none that is on file, everyone of that kind
is meant until a person has found out which: nobody implicated is told by a guess. The State Police
are one organisation, and so are the police of a town that troopers police.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from services.notify.agencies import POLICE, Agency, Directory, Kind
from services.notify.facts import Asserted, ChildFacts, Implicated, ImplicatedKind
from services.notify.rule import Rulebook
from shared.contracts.codes import HtType


class Ground(StrEnum):
    """Why an agency is left out."""

    IMPLICATED = "implicated"
    """By the facts of the referral."""
    ASSERTED = "asserted"
    """By a person, at notify."""


@dataclass(frozen=True, slots=True)
class Conflicts:
    """The agencies of a directory that may learn nothing of one child."""

    grounds: Mapping[str, Ground] = field(default_factory=dict)
    """By agency id."""
    codes: frozenset[str] = frozenset()
    """What those agencies are called: whoever has people of theirs is left out too."""
    unnamed: bool = False
    """Somebody is implicated whose agency nobody has named, or not as it is on file."""

    def ground(self, agency: Agency) -> Ground | None:
        if not self.grounds:
            return None
        found = self.grounds.get(agency.agency_id)
        if found is not None or self.codes.isdisjoint(agency.affiliations):
            return found
        return Ground.IMPLICATED


_NONE = Conflicts()

_MEANS: Mapping[ImplicatedKind, frozenset[Kind]] = {
    ImplicatedKind.MUNICIPAL_OFFICER: frozenset({Kind.MUNICIPAL_POLICE}),
    ImplicatedKind.RELATIVE_OF_ONE: frozenset({Kind.MUNICIPAL_POLICE}),
    ImplicatedKind.STATE_TROOPER: frozenset({Kind.STATE_POLICE}),
    ImplicatedKind.TRIBAL_OFFICER: frozenset({Kind.TRIBAL_POLICE}),
    ImplicatedKind.FEDERAL_OFFICER: frozenset({Kind.FBI}),
    ImplicatedKind.PROSECUTOR: frozenset({Kind.CHIEF_STATES_ATTORNEY, Kind.STATES_ATTORNEY}),
    ImplicatedKind.MDT_MEMBER: frozenset({Kind.MDT_MEMBER}),
    ImplicatedKind.OTHER: frozenset(),
}
"""The kinds that an implicated person may be of. Not here: a facility, a foster home, a school, a
DCF employee. None of these is a recipient unless it is named; rules route around them."""


def conflicts_of(
    child: ChildFacts, asserted: Iterable[Asserted], directory: Directory
) -> Conflicts:
    """Everybody who may learn nothing of this child."""
    mine = [each for each in asserted if each.child_id in (None, child.child_id)]
    if not mine and not child.implicated:
        return _NONE
    grounds: dict[str, Ground] = {}
    unnamed = False
    for each in child.implicated:
        agency = _named(each, directory)
        if agency is not None:
            grounds |= _organisation(agency, directory, Ground.IMPLICATED)
        elif each.kind in _MEANS:
            # A trooper's troop need not be found out: all of the State Police are left out.
            unnamed = unnamed or each.kind is not ImplicatedKind.STATE_TROOPER
            grounds |= _everyone(each.kind, child, directory)
    for one in (each for each in mine if not each.alone):
        agency = directory.get(one.agency_id)
        grounds[one.agency_id] = Ground.ASSERTED
        if agency is not None:
            grounds = _organisation(agency, directory, Ground.ASSERTED) | grounds
    alone = {each.agency_id: Ground.ASSERTED for each in mine if each.alone}
    return Conflicts(alone | grounds, _codes(grounds, directory), unnamed)


def bound_by(agency_id: str, directory: Directory) -> list[str]:
    """Every agency that an asserted conflict of this one holds too; itself first."""
    child = ChildFacts("", HtType.OTHER)
    found = conflicts_of(child, [Asserted(agency_id)], directory)
    others = [each.agency_id for each in directory.agencies if found.ground(each) is not None]
    return [agency_id, *sorted({*others} - {agency_id})]


def stand_ins(
    agency: Agency, conflicts: Conflicts, rulebook: Rulebook, directory: Directory
) -> list[Agency]:
    """Who is told in its place; nobody with a conflict of their own. Empty: a person must see."""
    substitute = rulebook.substitute_for(agency.kind)
    return [
        each
        for kind in (substitute.by if substitute else ())
        for each in _whole(kind, directory)
        if conflicts.ground(each) is None
    ]


def _whole(kind: Kind, directory: Directory) -> list[Agency]:
    return directory.statewide_police() if kind is Kind.STATE_POLICE else directory.of_kind(kind)


def _named(implicated: Implicated, directory: Directory) -> Agency | None:
    return directory.named(implicated.agency) if implicated.agency else None


def _everyone(kind: ImplicatedKind, child: ChildFacts, directory: Directory) -> dict[str, Ground]:
    meant = _MEANS[kind]
    if Kind.MUNICIPAL_POLICE in meant and _troopers_police(child.towns, directory):
        meant |= {Kind.STATE_POLICE}
    return {each.agency_id: Ground.IMPLICATED for one in meant for each in directory.of_kind(one)}


def _organisation(agency: Agency, directory: Directory, ground: Ground) -> dict[str, Ground]:
    """The agency, and the State Police where it is of them or works under their troopers."""
    found = {agency.agency_id: ground}
    towns = agency.towns | {beat.town for beat in agency.beats}
    if agency.kind is Kind.STATE_POLICE or (
        agency.kind in POLICE and _troopers_police(towns, directory)
    ):
        found |= {each.agency_id: ground for each in directory.of_kind(Kind.STATE_POLICE)}
    return found


def _troopers_police(towns: Iterable[str], directory: Directory) -> bool:
    return any(each.polices_as_trooper for town in towns for each in directory.police_of(town))


def _codes(agency_ids: Iterable[str], directory: Directory) -> frozenset[str]:
    agencies = [directory.get(agency_id) for agency_id in agency_ids]
    codes = (each.code for each in agencies if each is not None)
    return frozenset(code for code in (*agency_ids, *codes) if code)
