"""Who must be told about each child of a referral, why, and who may not be told (P3).

A pure function of the facts, the directory, the rules and the day. Default deny: an agency
without legal authority in force, without the profile that the rule sends, or without an encrypted
channel is refused, never skipped in silence.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import groupby
from typing import assert_never

from services.notify.agencies import Agency, Directory, Kind
from shared.contracts.codes import HtType, RefusalReason, Role, Trigger


class Selector(StrEnum):
    """How a rule finds the agencies of its role."""

    POLICE_OF_TOWNS = "police_of_towns"
    """Of every incident town and of the residence town (CGS 17a-101g(a) allows both)."""
    MDT_OF_DISTRICT = "mdt_of_district"
    """Of the incident towns' judicial districts; of the residence's when there is none."""
    STATEWIDE = "statewide"


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a route: a role, whom it finds, and the law behind it."""

    id: str
    trigger: Trigger
    role: Role
    select: Selector
    profile: str
    citation: str
    purpose: str
    because: str
    """In words, with {agency}, {anchor} and {citation}. Never a town's name."""
    kind: Kind | None = None
    """For STATEWIDE: the kind of agency that fills the role."""
    ht_types: frozenset[HtType] = frozenset(HtType)


@dataclass(frozen=True, slots=True)
class Rulebook:
    version: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class ChildFacts:
    """What routing needs to know of a child. Towns are names as in ct_towns.csv."""

    child_id: str
    ht_type: HtType
    residence_town: str | None = None
    incident_towns: frozenset[str] = frozenset()

    @property
    def towns(self) -> frozenset[str]:
        return self.incident_towns | frozenset(_known(self.residence_town))


Leg = tuple[str, str | None]
"""(child id, agency id): one recipient's way to one child's notice."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """An agency that must be told about a child, and the reason, frozen into the notice."""

    child_id: str
    agency_id: str
    role: Role
    profile: str
    authority: str
    purpose: str
    rule: str
    because: str

    @property
    def leg(self) -> Leg:
        return self.child_id, self.agency_id


@dataclass(frozen=True, slots=True)
class Refused:
    """A leg on which nothing may be sent. Without an agency: nobody fits the role."""

    child_id: str
    agency_id: str | None
    role: Role
    rule: str
    because: str
    reason: RefusalReason

    @property
    def leg(self) -> Leg:
        return self.child_id, self.agency_id


@dataclass(frozen=True, slots=True)
class Route:
    """In a fixed order: by child, then rule, then agency."""

    recipients: tuple[Recipient, ...]
    refused: tuple[Refused, ...]
    unresolved: tuple[str, ...]
    """Children with no town, or with one that nobody on file polices: a person must find out."""


def route(
    trigger: Trigger,
    children: Iterable[ChildFacts],
    directory: Directory,
    rulebook: Rulebook,
    today: date,
) -> Route:
    """Name every recipient of every child. `today` is the day in Connecticut."""
    ordered = sorted(children, key=lambda child: child.child_id)
    legs = [
        leg
        for child in ordered
        for rule in rulebook.rules
        if rule.trigger is trigger and child.ht_type in rule.ht_types
        for leg in _legs(child, rule, directory, today)
    ]
    return Route(
        recipients=tuple(leg for leg in legs if isinstance(leg, Recipient)),
        refused=tuple(leg for leg in legs if isinstance(leg, Refused)),
        unresolved=tuple(c.child_id for c in ordered if _unresolved(c, directory)),
    )


def _legs(
    child: ChildFacts, rule: Rule, directory: Directory, today: date
) -> Iterator[Recipient | Refused]:
    chosen = _choose(child, rule, directory)
    for agency, anchor in chosen:
        yield _leg(child, rule, agency, anchor, today)
    if not chosen:
        because = f"nobody on file for this child and role, {rule.citation}"
        reason = RefusalReason.NO_AGENCY_FOR_ROLE
        yield Refused(child.child_id, None, rule.role, rule.id, because, reason)


def _leg(
    child: ChildFacts, rule: Rule, agency: Agency, anchor: str, today: date
) -> Recipient | Refused:
    because = rule.because.format(agency=agency.name, anchor=anchor, citation=rule.citation)
    reason = agency.refusal(today)
    if reason is None and agency.profile != rule.profile:
        # What it may see is not what this rule sends, so nothing on file covers it.
        reason = RefusalReason.NO_AUTHORITY_ON_FILE
    if reason is not None:
        return Refused(child.child_id, agency.agency_id, rule.role, rule.id, because, reason)
    return Recipient(
        child_id=child.child_id,
        agency_id=agency.agency_id,
        role=rule.role,
        profile=rule.profile,
        authority=_authority_line(rule.citation, agency.authority or ""),
        purpose=rule.purpose,
        rule=rule.id,
        because=because,
    )


def _authority_line(duty: str, on_file: str) -> str:
    """The law that makes us tell, and the one on file that lets the agency be told."""
    return on_file if duty in on_file.split("; ") else f"{duty}; {on_file}"


def _choose(child: ChildFacts, rule: Rule, directory: Directory) -> list[tuple[Agency, str]]:
    """The agencies of a rule, each once, with what ties it to the child in words."""
    match rule.select:
        case Selector.POLICE_OF_TOWNS:
            return _police(child, directory)
        case Selector.MDT_OF_DISTRICT:
            return _mdt(child, directory)
        case Selector.STATEWIDE:
            assert rule.kind is not None
            return [(agency, "statewide") for agency in directory.of_kind(rule.kind)]
        case _:
            assert_never(rule.select)


def _police(child: ChildFacts, directory: Directory) -> list[tuple[Agency, str]]:
    """The duty is never dropped: while a town is unresolved the State Police are told as well."""
    anchors = [(town, "incident town") for town in sorted(child.incident_towns)]
    anchors += [(town, "residence town") for town in _known(child.residence_town)]
    chosen = [(agency, word) for town, word in anchors for agency in directory.police_of(town)]
    if _unresolved(child, directory):
        chosen += [(agency, "town unresolved") for agency in directory.statewide_police()]
    return _once(chosen)


def _mdt(child: ChildFacts, directory: Directory) -> list[tuple[Agency, str]]:
    towns = sorted(child.incident_towns) or _known(child.residence_town)
    word = "incident town" if child.incident_towns else "residence town"
    return _once((agency, word) for town in towns for agency in directory.mdt_of(town))


def _unresolved(child: ChildFacts, directory: Directory) -> bool:
    return not child.towns or any(not directory.police_of(town) for town in child.towns)


def _known(town: str | None) -> list[str]:
    return [] if town is None else [town]


def _once(chosen: Iterable[tuple[Agency, str]]) -> list[tuple[Agency, str]]:
    """An agency that serves two towns of a child is told once, for both reasons."""
    ordered = sorted(chosen, key=lambda pair: (pair[0].agency_id, pair[1]))
    merged = []
    for _, pairs in groupby(ordered, key=lambda pair: pair[0].agency_id):
        each = list(pairs)
        merged.append((each[0][0], " and ".join(dict.fromkeys(word for _, word in each))))
    return merged
