"""Who may learn nothing of a child because it, or one of its people, is implicated (P3). Pure.

A conflict holds an organisation: the agency, whoever is of one house with it, and whoever has
people of theirs. `implicated.py` says whom the facts of a referral mean.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from services.notify.directory.agencies import Agency, Kind
from services.notify.directory.register import Directory
from services.notify.routing.facts import Asserted, ChildFacts, Implicated
from services.notify.routing.implicated import Meant, houses, meant_by
from services.notify.routing.rule import Rulebook


class Ground(StrEnum):
    """Why an agency is left out."""

    IMPLICATED = "implicated"
    """By the facts of the referral."""
    ASSERTED = "asserted"
    """By a person, at notify."""
    TAKEN_BACK = "taken_back"
    """It gave a notice of the matter back, or was sent one by mistake: no conflict of interest."""


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
        theirs = not self.codes.isdisjoint(agency.affiliations)
        return Ground.IMPLICATED if theirs and found in (None, Ground.TAKEN_BACK) else found


_NONE = Conflicts()


def implicated_in(children: Iterable[ChildFacts], directory: Directory) -> tuple[Meant, ...]:
    """Whom the facts of a referral mean. Of all its children: whoever hears of one of them hears
    of the matter. Where a home is protected, its police may be troopers."""
    known = list(children)
    towns = frozenset[str]().union(*(child.towns for child in known))
    protected = any(child.address_confidential for child in known)
    troopers = protected or directory.troopers_police(towns)
    people = frozenset[Implicated]().union(*(child.implicated for child in known))
    ordered = sorted(people, key=lambda each: (each.kind, each.agency or ""))
    return tuple(meant_by(each, troopers, directory) for each in ordered)


def conflicts_of(
    child_id: str, meant: Collection[Meant], asserted: Iterable[Asserted], directory: Directory
) -> Conflicts:
    """Everybody who may learn nothing of this child."""
    mine = [each for each in asserted if each.child_id in (None, child_id)]
    if not mine and not meant:
        return _NONE
    grounds = {a.agency_id: Ground.IMPLICATED for each in meant for a in each.agencies}
    for one in (each for each in mine if not each.alone):
        agency = directory.heir(one.agency_id)
        known = [] if agency is None else houses([agency], directory)
        grounds = {each.agency_id: Ground.ASSERTED for each in known} | grounds
        grounds[one.agency_id] = Ground.ASSERTED
    alone = {each.agency_id: Ground.TAKEN_BACK for each in mine if each.alone}
    return Conflicts(
        alone | grounds, _codes(grounds, directory), unnamed=any(each.ask for each in meant)
    )


def bound_by(agency_id: str, directory: Directory) -> list[str]:
    """Every agency that an asserted conflict of this one holds too; itself first."""
    found = conflicts_of("", (), [Asserted(agency_id)], directory)
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


def replaces(
    agency_id: str, refused_id: str | None, rulebook: Rulebook, directory: Directory
) -> bool:
    """Whether the rules name an agency to be told in place of another that may not be."""
    refused = directory.get(refused_id or "")
    if refused is None:
        return False
    found = stand_ins(refused, _NONE, rulebook, directory)
    return agency_id in {each.agency_id for each in found}


def _whole(kind: Kind, directory: Directory) -> list[Agency]:
    return directory.statewide_police() if kind is Kind.STATE_POLICE else directory.of_kind(kind)


def _codes(agency_ids: Iterable[str], directory: Directory) -> frozenset[str]:
    known = list(agency_ids)
    agencies = [directory.get(agency_id) for agency_id in known]
    codes = (code for each in agencies if each is not None for code in directory.codes_of(each))
    return frozenset((*known, *codes))
