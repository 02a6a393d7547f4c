"""Whom an implicated person may belong to: nobody of those is told by a guess (P3, C16). Pure.

An agency that is named as it is on file, and that such a person can be of, is meant alone. Whatever
is less certain means more: every agency of one name, the named one and all of the person's kind
where the two disagree, all that a misspelt name sounds like. A person is asked which it is.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from services.notify.agencies import POLICE, Agency, Kind
from services.notify.facts import Implicated, ImplicatedKind
from services.notify.register import Directory

_TOWN = frozenset({Kind.MUNICIPAL_POLICE, Kind.CAMPUS_POLICE, Kind.AIRPORT_POLICE})
_PROSECUTORS = frozenset({Kind.CHIEF_STATES_ATTORNEY, Kind.STATES_ATTORNEY})

_OF: Mapping[ImplicatedKind, frozenset[Kind]] = {
    ImplicatedKind.MUNICIPAL_OFFICER: _TOWN,
    ImplicatedKind.RELATIVE_OF_ONE: POLICE,
    ImplicatedKind.STATE_TROOPER: frozenset({Kind.STATE_POLICE}),
    ImplicatedKind.TRIBAL_OFFICER: frozenset({Kind.TRIBAL_POLICE}),
    ImplicatedKind.FEDERAL_OFFICER: frozenset({Kind.FBI}),
    ImplicatedKind.PROSECUTOR: _PROSECUTORS,
    ImplicatedKind.MDT_MEMBER: frozenset({Kind.MDT_MEMBER}),
    ImplicatedKind.OTHER: frozenset(),
}
"""What such a person can be of. A relative of nobody says whom is taken for an officer's: the FBI
and the prosecutors are still told, or nobody would be. Not here: a facility, a foster home, a
school, a DCF employee. None of these is a recipient unless it is named; rules route around them."""

_SOUNDS: Mapping[re.Pattern[str], frozenset[Kind]] = {
    re.compile(words, re.IGNORECASE): kinds
    for words, kinds in {
        r"\b(troop|troopers?|barracks|state police|csp)\b": frozenset({Kind.STATE_POLICE}),
        r"\b(trib\w+|nation|mohegan|\w*pequot|paugussett|schaghticoke)\b": frozenset(
            {Kind.TRIBAL_POLICE}
        ),
        r"\b(fbi|federal|bureau|homeland|marshals?)\b": frozenset({Kind.FBI}),
        r"\b(attorney\w*|prosecut\w+)\b": _PROSECUTORS,
    }.items()
}
_POLICE = re.compile(
    r"\b(police|p\.?d\b|sheriff\w*|constab\w+|public safety|law enforcement|officers?)",
    re.IGNORECASE,
)
"""How agencies are called, for names that are not on file as they are written."""


@dataclass(frozen=True, slots=True)
class Meant:
    """The agencies that an implicated person may belong to."""

    agencies: tuple[Agency, ...]
    ask: bool
    """A person must find out which."""


def meant_by(implicated: Implicated, towns: Iterable[str], directory: Directory) -> Meant:
    """Whom to leave out. `towns`: the child's, whose police may be troopers.

    A trooper's troop need not be found out: all of the State Police are left out.
    """
    named = directory.called(implicated.agency) if implicated.agency else []
    certain = len(named) == 1 and _fits(implicated.kind, named[0], directory)
    if certain:
        return Meant((*houses(named, directory),), ask=False)
    fitting = bool(named) and all(_fits(implicated.kind, each, directory) for each in named)
    kinds = frozenset[Kind]() if fitting else _kinds(implicated, on_file=bool(named))
    if Kind.MUNICIPAL_POLICE in kinds and directory.troopers_police(towns):
        kinds |= {Kind.STATE_POLICE}
    everyone = [agency for kind in sorted(kinds) for agency in directory.of_kind(kind)]
    if Kind.STATE_POLICE in kinds:
        everyone += directory.state_police_and_theirs
    any_troop = implicated.kind is ImplicatedKind.STATE_TROOPER and kinds == {Kind.STATE_POLICE}
    return Meant(
        (*houses(named, directory), *everyone),
        ask=bool(named or kinds or implicated.kind in _OF) and not (any_troop and not named),
    )


def houses(agencies: Collection[Agency], directory: Directory) -> list[Agency]:
    """These, with whoever is one organisation with them: the State Police with one another and
    with the police who work a town's hours or streets with their troopers."""
    found = {agency.agency_id: agency for agency in agencies}
    if any(_with_troopers(each, directory) for each in agencies):
        found |= {each.agency_id: each for each in directory.state_police_and_theirs}
    return list(found.values())


def _with_troopers(agency: Agency, directory: Directory) -> bool:
    if agency.kind is Kind.STATE_POLICE:
        return True
    towns = agency.towns | {beat.town for beat in agency.beats}
    return agency.kind is Kind.MUNICIPAL_POLICE and directory.troopers_police(towns)


def _fits(kind: ImplicatedKind, agency: Agency, directory: Directory) -> bool:
    """Whether such a person can be of it. A team's member can be of any that has one there."""
    kinds = _OF.get(kind)
    if not kinds or agency.kind in kinds:
        return True
    if kind is not ImplicatedKind.MDT_MEMBER:
        return False
    called = [name for name in (agency.agency_id, agency.code) if name]
    rolls = directory.of_kind(Kind.MDT_MEMBER)
    return any(member.belongs_to(name) for member in rolls for name in called)


def _kinds(implicated: Implicated, *, on_file: bool) -> frozenset[Kind]:
    own = _OF.get(implicated.kind, frozenset())
    if on_file or not implicated.agency:
        return own
    sounds = [kinds for words, kinds in _SOUNDS.items() if words.search(implicated.agency)]
    heard = frozenset[Kind]().union(*sounds)
    if not heard and _POLICE.search(implicated.agency) and own.isdisjoint(_TOWN):
        heard = POLICE
    return own | heard
