"""Whom an implicated person may belong to: nobody of those is told by a guess (P3, C16). Pure.

An agency that is named as it is on file, and that such a person can be of, is meant alone. Whatever
is less certain means more: every agency of one name, the named one and all of the person's kind
where the two disagree, all that a name which is not on file sounds like, is like, or lies in. A
person is asked which it is.
"""

import re
from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass

from services.notify.directory.agencies import POLICE, Agency, Kind
from services.notify.directory.naming import canonical, squashed
from services.notify.directory.register import Directory
from services.notify.routing.facts import Implicated, ImplicatedKind

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

_ASKED_ABOUT = frozenset({*_OF, ImplicatedKind.DCF_EMPLOYEE})
"""Where it is not certain whose people they are, a person finds out: of DCF, which unit (C18)."""

_SOUNDS: Mapping[re.Pattern[str], frozenset[Kind]] = {
    re.compile(rf"\b(?:{words})\b(?: (?:police|pd))?"): kinds
    for words, kinds in {
        r"troops?|troopers?|barracks|state police|csp": frozenset({Kind.STATE_POLICE}),
        r"trib\w+|nation|mohegan|\w*pequot|paugussett|schaghticoke": frozenset(
            {Kind.TRIBAL_POLICE}
        ),
        r"fbi|federal|bureau|homeland|marshals?": frozenset({Kind.FBI}),
        r"attorney\w*|prosecut\w+": _PROSECUTORS,
        r"mdt|multidisciplinary": frozenset({Kind.MDT_MEMBER}),
    }.items()
}
_POLICE = re.compile(
    r"police|\b\w{0,4}pd\b|\b(?:cops?|sheriff\w*|constab\w+|detectives?|officers?|patrol\w*)\b"
    r"|\bpublic safety\b|\blaw enforcement\b"
)
"""How agencies are called, in names that are not on file as they are written."""
_LONG_ENOUGH = 8
"""Letters of an agency's name, for it to be told within another one."""


@dataclass(frozen=True, slots=True)
class Meant:
    """The agencies that an implicated person may belong to."""

    agencies: tuple[Agency, ...]
    ask: bool
    """A person must find out which."""


def meant_by(implicated: Implicated, troopers: bool, directory: Directory) -> Meant:
    """Whom to leave out. `troopers`: they may be the police of a town of the matter.

    A trooper's troop need not be found out: all of the State Police are left out.
    """
    named = directory.called(implicated.agency) if implicated.agency else []
    fitting = bool(named) and all(_fits(implicated.kind, each, directory) for each in named)
    if fitting and len(named) == 1:
        return Meant((*houses(named, directory),), ask=False)
    heard = _Heard() if named else _Heard.of(implicated, directory)
    own = frozenset[Kind]() if fitting else _OF.get(implicated.kind, frozenset())
    kinds = own | heard.kinds
    if Kind.MUNICIPAL_POLICE in kinds and troopers:
        kinds |= {Kind.STATE_POLICE}
    everyone = [agency for kind in sorted(kinds) for agency in directory.of_kind(kind)]
    if Kind.STATE_POLICE in kinds:
        everyone += directory.state_police_and_theirs
    some_troop = implicated.kind is ImplicatedKind.STATE_TROOPER and not (named or heard.agencies)
    known_enough = some_troop and kinds == own and (heard.kinds or not implicated.agency)
    return Meant(
        (*houses([*named, *heard.agencies], directory), *everyone),
        ask=not known_enough
        and bool(named or kinds or heard.agencies or implicated.kind in _ASKED_ABOUT),
    )


@dataclass(frozen=True, slots=True)
class _Heard:
    """What can be told from a name that is not on file."""

    kinds: frozenset[Kind] = frozenset()
    agencies: tuple[Agency, ...] = ()

    @classmethod
    def of(cls, implicated: Implicated, directory: Directory) -> "_Heard":
        """An officer's town means its police; a school's does not, unless police are spoken of."""
        if not implicated.agency:
            return cls()
        text = canonical(implicated.agency)
        kinds, rest = frozenset[Kind](), text
        for words, meant in _SOUNDS.items():
            rest, count = words.subn(" ", rest)
            kinds |= meant if count else frozenset()
        police = bool(_POLICE.search(rest))
        if police and _OF.get(implicated.kind, frozenset()).isdisjoint(_TOWN):
            kinds |= POLICE
        speaks = police or bool(kinds) or implicated.kind in _OF
        return cls(kinds, tuple(_alike(text, directory)) if speaks else ())


def _alike(text: str, directory: Directory) -> list[Agency]:
    """Agencies whose name stands within it or it within theirs, and the police of a town in it."""
    letters = text.replace(" ", "")
    towns = {town for town in directory.districts if squashed(town) in letters}
    return [
        agency
        for agency in directory.agencies
        if (agency.kind in POLICE and not towns.isdisjoint(_towns(agency)))
        or _within(squashed(agency.name), letters)
    ]


def _within(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    return len(shorter) >= _LONG_ENOUGH and shorter in longer


def houses(agencies: Collection[Agency], directory: Directory) -> list[Agency]:
    """These, with whoever is one organisation with them: a team's member who is an officer with
    their department, and the State Police with one another and with the police who work a town's
    hours or streets with their troopers."""
    found = {agency.agency_id: agency for agency in agencies}
    for member in (each for each in agencies if each.kind is Kind.MDT_MEMBER):
        theirs = (each for code in member.affiliations for each in directory.called(code))
        found |= {each.agency_id: each for each in theirs if each.kind in POLICE}
    if any(_with_troopers(each, directory) for each in found.values()):
        found |= {each.agency_id: each for each in directory.state_police_and_theirs}
    return list(found.values())


def _with_troopers(agency: Agency, directory: Directory) -> bool:
    if agency.kind is Kind.STATE_POLICE:
        return True
    return agency.kind is Kind.MUNICIPAL_POLICE and directory.troopers_police(_towns(agency))


def _towns(agency: Agency) -> Set[str]:
    return agency.towns | {beat.town for beat in agency.beats}


def _fits(kind: ImplicatedKind, agency: Agency, directory: Directory) -> bool:
    """Whether such a person can be of it. A team's member can be of any that has one there."""
    kinds = _OF.get(kind)
    if not kinds or agency.kind in kinds:
        return True
    if kind is not ImplicatedKind.MDT_MEMBER:
        return False
    rolls = directory.of_kind(Kind.MDT_MEMBER)
    return any(member.belongs_to(name) for member in rolls for name in directory.codes_of(agency))
