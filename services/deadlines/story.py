"""A referral's facts, looked up by what the fold asks. Pure; the same for every order (P6)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from services.deadlines.facts import Fact, FactKind, Statement
from shared.contracts.codes import Role, Stage

TELLING = frozenset(
    {FactKind.DELIVERED, FactKind.PICKED_UP, FactKind.ACKNOWLEDGED, FactKind.TOLD_ORALLY}
)
"""The kinds of fact by which somebody can have been told."""

LegKey = tuple[Stage, int, str, Role]
"""Stage, version, child and role."""


@dataclass(frozen=True, slots=True)
class Member:
    """A recipient of a leg, from when it was planned until it left it. `agency_id` is null where
    no agency fits the role."""

    agency_id: str | None
    refused: bool
    since: datetime
    until: datetime | None

    def is_there(self, moment: datetime) -> bool:
        return self.since <= moment and (self.until is None or moment < self.until)


@dataclass(frozen=True, slots=True)
class Leg:
    """The recipients of one role in one plan, at one moment."""

    agencies: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    nobody_fits: bool = False


@dataclass(frozen=True, slots=True)
class Telling:
    """An agency was told of a child, by one notice."""

    kind: FactKind
    agency_id: str
    role: Role | None
    at: datetime
    consult_outcome: bool
    """By the outcome of a consult, which is no notice of the referral itself."""
    notice_id: str | None
    planned_at: datetime
    """When its notice was planned; of one whose plan is not known, when it was told."""


class Departure(NamedTuple):
    """An agency is to be told nothing further: it gave a notice back, is in conflict, or was never
    meant. It goes for all that was planned for it before."""

    notice_id: str | None
    at: datetime

    def ends(self, telling: Telling) -> bool:
        return self.notice_id == telling.notice_id or telling.planned_at < self.at


class Stated(NamedTuple):
    """One version's word on one child."""

    received_at: datetime
    recorded_at: datetime
    statement: Statement


class Story:
    """All facts of one referral. `facts` may come in any order and repeat themselves."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        self._stated: dict[str, dict[int, Stated]] = defaultdict(dict)
        self._spoken: dict[str, set[int]] = defaultdict(set)
        self.recorded: dict[int, datetime] = {}
        """When each version was recorded."""
        self.plans: dict[Stage, dict[int, datetime]] = defaultdict(dict)
        """When the recipients of each version were fixed, by stage."""
        self.members: dict[LegKey, set[Member]] = defaultdict(set)
        self.decisions: dict[int, tuple[bool, datetime]] = {}
        """By its number: whether it accepted, and since when."""
        self.in_error_at: datetime | None = None
        self.withdrawn_at: datetime | None = None
        self.steps: dict[tuple[FactKind, str, str | None], datetime] = {}
        """When a step was first taken: by kind, child, and consult."""
        self._read(list(facts))
        self.statements: Mapping[str, Statement] = {
            child: versions[max(versions)].statement for child, versions in self._stated.items()
        }
        """The latest version's word on each child."""

    def stated(self, child_id: str) -> list[Stated]:
        """What each version that states the child says of it, in their order."""
        return [stated for _, stated in sorted(self._stated[child_id].items())]

    def tellings(self, child_id: str) -> Iterable[Telling]:
        return self._told.get(child_id, ())

    def answers(self, child_id: str, agency_id: str) -> Iterable[Telling]:
        """What an agency heard by notices with nothing to tell: not of the child, and yet what it
        says of them shows that it heard."""
        return [each for each in self._news.get(child_id, ()) if each.agency_id == agency_id]

    def departures(self, child_id: str, agency_id: str) -> Iterable[Departure]:
        return self._departed.get((child_id, agency_id), ())

    def planned(self, stage: Stage, child_id: str, role: Role) -> int | None:
        """The first version whose plan had a leg of this role; None while none has."""
        return self._first_planned.get((stage, child_id, role))

    def has_leg(self, stage: Stage, version: int, child_id: str, role: Role) -> bool:
        """Whether a version's plan has a leg of this role, emptied meanwhile or not."""
        return (stage, version, child_id, role) in self.members

    def leg(self, key: LegKey, moment: datetime) -> Leg:
        """Who was of a leg at a moment."""
        there = [each for each in self.members.get(key, ()) if each.is_there(moment)]
        return Leg(
            frozenset(each.agency_id for each in there if each.agency_id),
            frozenset(each.agency_id for each in there if each.agency_id and each.refused),
            any(each.agency_id is None for each in there),
        )

    def plans_for(self, stage: Stage, child_id: str) -> Mapping[int, datetime]:
        """When the recipients of each version were fixed: of those versions that speak of the
        child. One that does not state it, because its content was destroyed (C29) or it never
        belonged to the referral, says nothing of its duties."""
        spoken = self._spoken[child_id]
        plans = self.plans.get(stage, {})
        return {version: at for version, at in plans.items() if version in spoken}

    def consults(self, kind: FactKind, child_id: str) -> list[str]:
        """The consults on a child of which this step is known."""
        return sorted(m for k, child, m in self.steps if k is kind and child == child_id and m)

    def step(self, kind: FactKind, child_id: str, consult: str | None) -> datetime | None:
        return self.steps.get((kind, child_id, consult))

    def _read(self, facts: list[Fact]) -> None:
        for fact in facts:
            match fact.kind:
                case FactKind.STATED:
                    self._state(fact)
                case FactKind.ROUTED | FactKind.REFUSED:
                    _earliest(self.plans[fact.stage or Stage.RECEIVED], fact.version, fact)
                case FactKind.ACCEPTED | FactKind.NOT_ACCEPTED:
                    accepted = fact.kind is FactKind.ACCEPTED
                    self.decisions[fact.version] = (accepted, fact.occurred_at)
                case FactKind.ENTERED_IN_ERROR:
                    self.in_error_at = _earlier(self.in_error_at, fact)
                case FactKind.WITHDRAWN:
                    self.withdrawn_at = _earlier(self.withdrawn_at, fact)
                case (
                    FactKind.CONSULT_REQUESTED
                    | FactKind.CONSULT_COMPLETED
                    | FactKind.CONSULT_ENTERED
                ):
                    _earliest(self.steps, (fact.kind, fact.child_id or "", fact.matter), fact)
                case FactKind.IDENTIFIED:
                    _earliest(self.steps, (fact.kind, fact.child_id or "", None), fact)
                case _:
                    pass
        self._read_notices(facts)

    def _state(self, fact: Fact) -> None:
        if fact.child_id is None or fact.statement is None:
            return
        _earliest(self.recorded, fact.version, fact)
        self._spoken[fact.child_id].add(fact.version)
        word = Stated(fact.statement.received_at, fact.occurred_at, fact.statement)
        versions = self._stated[fact.child_id]
        known = versions.get(fact.version, word)
        versions[fact.version] = max(word, known, key=lambda each: each[:2])

    def _read_notices(self, facts: list[Fact]) -> None:
        """Notices with nothing to tell are of no leg, whenever that comes to light."""
        empty = {f.notice_id for f in facts if f.kind is FactKind.SUPERSESSION_PLANNED}
        left: dict[str | None, datetime] = {}
        laid: dict[str | None, datetime] = {}
        for fact in facts:
            if fact.kind is FactKind.LEFT:
                _earliest(left, fact.notice_id, fact)
            elif fact.kind is FactKind.PLANNED:
                _earliest(laid, fact.notice_id, fact)
        shared = {
            f.notice_id
            for f in facts
            if f.kind is FactKind.PLANNED and f.stage is Stage.CONSULT_SHARED
        }
        self._told: dict[str, list[Telling]] = defaultdict(list)
        self._news: dict[str, list[Telling]] = defaultdict(list)
        self._departed: dict[tuple[str, str], set[Departure]] = defaultdict(set)
        self._first_planned: dict[tuple[Stage, str, Role], int] = {}
        for fact in facts:
            if fact.child_id is None or fact.role is None:
                continue
            if fact.kind in TELLING and fact.agency_id is not None:
                to = self._news if fact.notice_id in empty else self._told
                to[fact.child_id].append(
                    Telling(
                        fact.kind,
                        fact.agency_id,
                        fact.role,
                        fact.occurred_at,
                        fact.notice_id in shared,
                        fact.notice_id,
                        laid.get(fact.notice_id, fact.occurred_at),
                    )
                )
            elif fact.kind is FactKind.LEFT and fact.agency_id is not None:
                departure = Departure(fact.notice_id, fact.occurred_at)
                self._departed[fact.child_id, fact.agency_id].add(departure)
            elif fact.kind in (FactKind.PLANNED, FactKind.REFUSED) and fact.notice_id not in empty:
                self._lay(fact, fact.child_id, fact.role, left.get(fact.notice_id))

    def _lay(self, fact: Fact, child_id: str, role: Role, left_at: datetime | None) -> None:
        stage = fact.stage or Stage.RECEIVED
        self._spoken[child_id].add(fact.version)
        known = self._first_planned.get((stage, child_id, role), fact.version)
        self._first_planned[stage, child_id, role] = min(fact.version, known)
        refused = fact.kind is FactKind.REFUSED
        self.members[stage, fact.version, child_id, role].add(
            Member(fact.agency_id, refused, fact.occurred_at, left_at)
        )


def _earliest(times: dict[Any, datetime], key: object, fact: Fact) -> None:
    times[key] = min(fact.occurred_at, times.get(key, fact.occurred_at))


def _earlier(known: datetime | None, fact: Fact) -> datetime:
    return fact.occurred_at if known is None else min(known, fact.occurred_at)
