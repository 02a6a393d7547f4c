"""The rules as values: who is told when, by what law, and who stands in for whom."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from services.notify.directory.agencies import Kind
from services.notify.routing.facts import ChildFacts, ImplicatedKind
from shared.contracts.codes import HtType, Role, Stage, Trigger


class Selector(StrEnum):
    """How a rule finds the agencies of its role."""

    POLICE_OF_TOWNS = "police_of_towns"
    """Of every incident place and of the residence town (CGS 17a-101g(a) allows both)."""
    MDT_OF_DISTRICT = "mdt_of_district"
    """Of the incident towns' judicial districts, and of the residence's as participant."""
    OFFICE_OF_TOWNS = "office_of_towns"
    """DCF's people of the residence town's office; of the incident towns' without one."""
    STATEWIDE = "statewide"


class Effect(StrEnum):
    """What a rule makes."""

    NOTICE = "notice"
    REVIEW = "review"
    """An item in a queue of the department's own: nothing is disclosed."""
    ASK = "ask"
    """A question to a person, whose answer decides whether somebody is told."""


class Form(StrEnum):
    """Which form the recipient gets."""

    DCF_737 = "dcf_737"
    DCF_823 = "dcf_823"
    CONSULT_OUTCOME = "consult_outcome"


class Condition(StrEnum):
    """What must be so of the child. What is not known is not so."""

    LIVES_ELSEWHERE = "lives_elsewhere"
    AWAY_UNAUTHORIZED = "away_unauthorized"
    AWAY_UNDECIDED = "away_undecided"
    FOREIGN_NATIONAL = "foreign_national"
    MISSING_FROM_CARE = "missing_from_care"
    DCF_IMPLICATED = "dcf_implicated"
    DCF_NOT_IMPLICATED = "dcf_not_implicated"
    LICENSED_IMPLICATED = "licensed_implicated"
    SCHOOL_IMPLICATED = "school_implicated"


_LICENSED = frozenset({ImplicatedKind.FOSTER_HOME, ImplicatedKind.FACILITY})
_OF_DCF = _LICENSED | {ImplicatedKind.DCF_EMPLOYEE}


def _implicated(child: ChildFacts, kinds: frozenset[ImplicatedKind]) -> bool:
    return any(each.kind in kinds for each in child.implicated)


def _runaway(child: ChildFacts) -> bool:
    return child.travel_authorized is False or child.missing_from_care is True


_HOLDS: Mapping[Condition, Callable[[ChildFacts], bool]] = {
    Condition.LIVES_ELSEWHERE: lambda child: child.lives_elsewhere,
    Condition.AWAY_UNAUTHORIZED: lambda child: (
        child.is_away and not child.lives_elsewhere and _runaway(child)
    ),
    Condition.AWAY_UNDECIDED: lambda child: (
        child.is_away
        and not child.lives_elsewhere
        and not _runaway(child)
        and child.travel_authorized is None
    ),
    Condition.FOREIGN_NATIONAL: lambda child: child.foreign_national is True,
    Condition.MISSING_FROM_CARE: lambda child: child.missing_from_care is True,
    Condition.DCF_IMPLICATED: lambda child: _implicated(child, _OF_DCF),
    Condition.DCF_NOT_IMPLICATED: lambda child: not _implicated(child, _OF_DCF),
    Condition.LICENSED_IMPLICATED: lambda child: _implicated(child, _LICENSED),
    Condition.SCHOOL_IMPLICATED: lambda child: _implicated(
        child, frozenset({ImplicatedKind.SCHOOL_EMPLOYEE})
    ),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a route: a role, whom it finds, and the law behind it."""

    id: str
    trigger: Trigger | None
    """None: both."""
    role: Role
    select: Selector
    profile: str
    citation: str
    purpose: str
    because: str
    """In words, with {agency}, {anchor} and {citation}. Never a town's name."""
    kind: Kind | None = None
    """The kind of agency that fills the role, where the selector does not say it."""
    ht_types: frozenset[HtType] = frozenset(HtType)
    stage: Stage = Stage.RECEIVED
    when: tuple[Condition, ...] = ()
    """All must hold; none: always."""
    effect: Effect = Effect.NOTICE
    form: Form = Form.DCF_737
    cases: tuple[str, ...] = ()
    """The edge cases of the domain that it decides: C1 … C36."""

    def fits(self, child: ChildFacts) -> bool:
        return child.ht_type in self.ht_types and all(_HOLDS[each](child) for each in self.when)


@dataclass(frozen=True, slots=True)
class Substitute:
    """Who stands in for an agency with a conflict of interest."""

    id: str
    instead_of: frozenset[Kind]
    by: tuple[Kind, ...]
    """STATE_POLICE means the State Police as a whole, never a troop."""
    citation: str
    because: str
    cases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rulebook:
    version: str
    rules: tuple[Rule, ...]
    substitutes: tuple[Substitute, ...] = ()
    digest: str = ""
    """SHA-256 of what its file says, in hex: one name must never mean two."""

    def of(self, trigger: Trigger, stage: Stage) -> tuple[Rule, ...]:
        """Those of a stage, in the order of the file."""
        return tuple(
            rule for rule in self.rules if rule.trigger in (None, trigger) and rule.stage is stage
        )

    def substitute_for(self, kind: Kind | None) -> Substitute | None:
        return next((each for each in self.substitutes if kind in each.instead_of), None)
