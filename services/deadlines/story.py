"""A referral's facts, looked up by what the fold asks. Pure; the same for every order (P6)."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from services.deadlines.facts import Fact, FactKind, Statement
from services.deadlines.spells import Departure, Spell, Telling, acceptances, holdings
from shared.contracts.codes import Role, Stage

TELLING = (FactKind.DELIVERED, FactKind.PICKED_UP, FactKind.ACKNOWLEDGED, FactKind.TOLD_ORALLY)
"""The kinds of fact by which somebody can have been told."""

_CONSULT_STEPS = (
    FactKind.CONSULT_REQUESTED,
    FactKind.CONSULT_COMPLETED,
    FactKind.CONSULT_ENTERED,
)

_Facts = Mapping[FactKind, Sequence[Fact]]


class Member(NamedTuple):
    """A recipient of a leg, from when it was planned until it left it. `agency_id` is null where
    no agency fits the role."""

    agency_id: str | None
    refused: bool
    since: datetime
    until: datetime | None

    def is_there(self, moment: datetime) -> bool:
        return self.since <= moment and (self.until is None or moment < self.until)


class Plan(NamedTuple):
    """What the plan of one version has for one role."""

    at: datetime
    """When the recipients of that version were fixed."""
    leg: Collection[Member] | None
    """All that ever were of it; None where the plan has no leg of this role."""


class Stated(NamedTuple):
    """One version's word on one child."""

    received_at: datetime
    recorded_at: datetime
    statement: Statement


class Story:
    """All facts of one referral. `facts` may come in any order and repeat themselves."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        of: dict[FactKind, list[Fact]] = defaultdict(list)
        for fact in facts:
            of[fact.kind].append(fact)
        self.recorded: dict[int, datetime] = {}
        """When each version was recorded."""
        self.plans: dict[Stage, dict[int, datetime]] = defaultdict(dict)
        """When the recipients of each version were fixed, by stage."""
        self.in_error_at = _first(of[FactKind.ENTERED_IN_ERROR])
        self.acceptances: Sequence[Spell] = acceptances(
            {
                fact.version: (fact.kind is FactKind.ACCEPTED, fact.occurred_at)
                for fact in (*of[FactKind.ACCEPTED], *of[FactKind.NOT_ACCEPTED])
            }
        )
        """When the acceptance of the referral held."""
        self._spoken: dict[str, set[int]] = defaultdict(set)
        self._plans_of: dict[tuple[Stage, str], list[tuple[int, datetime]]] = {}
        self._read_statements(of)
        self._read_steps(of)
        self._read_plans(of)
        self._read_tellings(of)

    def stated(self, child_id: str) -> Sequence[Stated]:
        """What each version that states the child says of it, in their order."""
        return self._stated[child_id]

    def told(self, child_id: str) -> Collection[str]:
        """The agencies that were ever told of a child."""
        return self._told.get(child_id, {})

    def tellings(self, child_id: str, agency_id: str) -> Sequence[Telling]:
        return self._told.get(child_id, {}).get(agency_id, ())

    def answers(self, child_id: str, agency_id: str) -> Sequence[Telling]:
        """What an agency heard by notices with nothing to tell: not of the child, and yet what it
        says of them shows that it heard."""
        return self._news.get(child_id, {}).get(agency_id, ())

    def holdings(self, child_id: str, agency_id: str) -> Sequence[Spell]:
        """When an agency held what it was told of the child: until it left."""
        found = self._holdings.get((child_id, agency_id))
        if found is None:
            told = self.tellings(child_id, agency_id)
            found = holdings(told, self._departed.get((child_id, agency_id), ()))
            self._holdings[child_id, agency_id] = found
        return found

    def first_told(
        self, child_id: str, by: frozenset[FactKind], *, outcomes: bool
    ) -> Mapping[str, datetime]:
        """When each agency was first told of the child by one of these kinds of fact; `outcomes`:
        also by a consult's outcome, which is no notice of the referral."""
        found = self._first_told.get((child_id, by, outcomes))
        if found is None:
            found = self._first_told[child_id, by, outcomes] = {}
            for agency_id, told in self._told.get(child_id, {}).items():
                counts = (
                    e.at for e in told if e.kind in by and (outcomes or not e.consult_outcome)
                )
                if (at := min(counts, default=None)) is not None:
                    found[agency_id] = at
        return found

    def planned(self, stage: Stage, child_id: str, role: Role) -> int | None:
        """The first version whose plan had a leg of this role; None while none has."""
        return self._first_planned.get((stage, child_id, role))

    def plans_for(self, stage: Stage, child_id: str, role: Role) -> list[Plan]:
        """The plans of those versions that speak of the child, the latest first. One that does not
        state it, because its content was destroyed (C29) or it never belonged to the referral,
        says nothing of its duties."""
        return [
            Plan(at, self._members.get((stage, version, child_id, role)))
            for version, at in self._spoken_of(stage, child_id)
        ]

    def _spoken_of(self, stage: Stage, child_id: str) -> Sequence[tuple[int, datetime]]:
        """The versions that speak of the child, and when their recipients were fixed."""
        found = self._plans_of.get((stage, child_id))
        if found is None:
            plans = self.plans.get(stage, {})
            spoken = sorted(plans.keys() & self._spoken[child_id], reverse=True)
            found = self._plans_of[stage, child_id] = [(each, plans[each]) for each in spoken]
        return found

    def consults(self, kind: FactKind, child_id: str) -> list[str]:
        """The consults on a child of which this step is known."""
        return sorted(m for k, child, m in self._steps if k is kind and child == child_id and m)

    def step(self, kind: FactKind, child_id: str, consult: str | None) -> datetime | None:
        """When a step was first taken."""
        return self._steps.get((kind, child_id, consult))

    def _read_statements(self, of: _Facts) -> None:
        stated: dict[str, dict[int, Stated]] = defaultdict(dict)
        for fact in of[FactKind.STATED]:
            if fact.child_id is None or fact.statement is None:
                continue
            _earliest(self.recorded, fact.version, fact)
            self._spoken[fact.child_id].add(fact.version)
            word = Stated(fact.statement.received_at, fact.occurred_at, fact.statement)
            versions = stated[fact.child_id]
            known = versions.get(fact.version, word)
            versions[fact.version] = max(word, known, key=lambda each: each[:2])
        self._stated = {
            child: [word for _, word in sorted(versions.items())]
            for child, versions in stated.items()
        }
        self.statements: Mapping[str, Statement] = {
            child: words[-1].statement for child, words in self._stated.items()
        }
        """The latest version's word on each child."""

    def _read_steps(self, of: _Facts) -> None:
        self._steps: dict[tuple[FactKind, str, str | None], datetime] = {}
        for kind in _CONSULT_STEPS:
            for fact in of[kind]:
                _earliest(self._steps, (kind, fact.child_id or "", fact.matter), fact)
        for fact in of[FactKind.IDENTIFIED]:
            _earliest(self._steps, (fact.kind, fact.child_id or "", None), fact)

    def _read_plans(self, of: _Facts) -> None:
        """Notices with nothing to tell are of no leg, whenever that comes to light."""
        self._empty = {fact.notice_id for fact in of[FactKind.SUPERSESSION_PLANNED]}
        self._members: dict[tuple[Stage, int, str, Role], set[Member]] = defaultdict(set)
        self._first_planned: dict[tuple[Stage, str, Role], int] = {}
        left = _by_notice(of[FactKind.LEFT])
        for fact in (*of[FactKind.ROUTED], *of[FactKind.REFUSED]):
            _earliest(self.plans[fact.stage or Stage.RECEIVED], fact.version, fact)
        for fact in (*of[FactKind.PLANNED], *of[FactKind.REFUSED]):
            child_id, role = fact.child_id, fact.role
            if child_id is None or role is None or fact.notice_id in self._empty:
                continue
            stage, version = fact.stage or Stage.RECEIVED, fact.version
            self._spoken[child_id].add(version)
            known = self._first_planned.get((stage, child_id, role), version)
            self._first_planned[stage, child_id, role] = min(version, known)
            refused, until = fact.kind is FactKind.REFUSED, left.get(fact.notice_id)
            self._members[stage, version, child_id, role].add(
                Member(fact.agency_id, refused, fact.occurred_at, until)
            )

    def _read_tellings(self, of: _Facts) -> None:
        self._told: dict[str, dict[str, list[Telling]]] = {}
        self._news: dict[str, dict[str, list[Telling]]] = {}
        self._departed: dict[tuple[str, str], set[Departure]] = defaultdict(set)
        self._holdings: dict[tuple[str, str], list[Spell]] = {}
        self._first_told: dict[tuple[str, frozenset[FactKind], bool], dict[str, datetime]] = {}
        laid = _by_notice(of[FactKind.PLANNED])
        outcomes = {f.notice_id for f in of[FactKind.PLANNED] if f.stage is Stage.CONSULT_SHARED}
        for fact in of[FactKind.LEFT]:
            if fact.child_id and fact.role and fact.agency_id:
                departure = Departure(fact.notice_id, fact.occurred_at)
                self._departed[fact.child_id, fact.agency_id].add(departure)
        for kind in TELLING:
            for fact in of[kind]:
                if fact.child_id is None or fact.role is None or fact.agency_id is None:
                    continue
                notice_id, at = fact.notice_id, fact.occurred_at
                to = self._news if notice_id in self._empty else self._told
                to.setdefault(fact.child_id, {}).setdefault(fact.agency_id, []).append(
                    Telling(kind, at, notice_id in outcomes, notice_id, laid.get(notice_id, at))
                )


def _earliest(times: dict[Any, datetime], key: object, fact: Fact) -> None:
    times[key] = min(fact.occurred_at, times.get(key, fact.occurred_at))


def _by_notice(facts: Iterable[Fact]) -> Mapping[str | None, datetime]:
    """The earliest of each notice."""
    times: dict[str | None, datetime] = {}
    for fact in facts:
        _earliest(times, fact.notice_id, fact)
    return times


def _first(facts: Iterable[Fact]) -> datetime | None:
    return min((fact.occurred_at for fact in facts), default=None)
