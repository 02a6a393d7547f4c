"""The fold: from facts and a policy to how a clock stands. Pure; the same for every order (P6)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.deadlines.facts import Fact, FactKind, Statement
from services.deadlines.policy import EveryAgencyTold, Policy


class Lacking(StrEnum):
    """Why a clock is not satisfied."""

    PLAN = "plan"
    """Nobody has been chosen yet."""
    LAWFUL_RECIPIENT = "lawful_recipient"
    """The leg is empty, or the law permits telling none or not all of it."""
    DELIVERY = "delivery"
    """Somebody of the leg has not been told."""


class ClockState(StrEnum):
    """How a clock stands, breaches that were announced included."""

    OPEN = "open"
    SATISFIED = "satisfied"
    BREACHED = "breached"
    BREACHED_THEN_CORRECTED = "breached_then_corrected"
    """Announced as breached; a fact dated in time came to light afterwards."""
    SATISFIED_LATE = "satisfied_late"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a clock stands by its facts alone. `lacking` is null exactly when it is satisfied."""

    basis_at: datetime
    due_at: datetime
    satisfied_at: datetime | None
    lacking: Lacking | None

    @property
    def in_time(self) -> bool:
        return self.satisfied_at is not None and self.satisfied_at <= self.due_at


def statements(facts: Iterable[Fact]) -> Mapping[str, Statement]:
    """The latest version's word on each child."""
    latest: dict[str, tuple[int, datetime, Statement]] = {}
    for fact in facts:
        if fact.kind is FactKind.STATED and fact.child_id and fact.statement:
            word = (fact.version, fact.statement.received_at, fact.statement)
            known = latest.get(fact.child_id)
            if known is None or word[:2] > known[:2]:
                latest[fact.child_id] = word
    return {child: statement for child, (_, _, statement) in latest.items()}


def fold(policy: Policy, child_id: str, statement: Statement, facts: Sequence[Fact]) -> Standing:
    """How the clock of one child under one policy stands, whatever the order of `facts`.

    `satisfied_at` is the beginning of the time since when the duty has been met without a break:
    a plan that adds an agency opens the clock again until that agency is told, and the due time
    stays where it is.
    """
    due_at = statement.received_at + policy.duration
    satisfied_at, lacking = _told_since(policy.satisfied, child_id, facts)
    return Standing(statement.received_at, due_at, satisfied_at, lacking)


def state_of(standing: Standing, breached_at: datetime | None) -> ClockState:
    """The state, given the due time at which a breach was announced (P6: it is never erased).

    A correction must satisfy the announced due time and today's: amending the time of receipt
    cannot talk a breach away.
    """
    if breached_at is None:
        return ClockState.SATISFIED if standing.in_time else ClockState.OPEN
    if standing.satisfied_at is None:
        return ClockState.BREACHED
    if standing.satisfied_at <= min(breached_at, standing.due_at):
        return ClockState.BREACHED_THEN_CORRECTED
    return ClockState.SATISFIED_LATE


@dataclass(frozen=True, slots=True)
class _Leg:
    """The recipients of one role in one version. `unlawful`: nobody may be told for some duty."""

    agencies: frozenset[str]
    refused: frozenset[str]
    nobody_fits: bool


def _told_since(
    rule: EveryAgencyTold, child_id: str, facts: Sequence[Fact]
) -> tuple[datetime | None, Lacking | None]:
    planned_at = _plan_times(facts)
    if not planned_at:
        return None, Lacking.PLAN
    told = _told(rule, child_id, facts)
    legs = {version: _leg(rule, child_id, version, facts) for version in planned_at}
    since: datetime | None = None
    lacking: Lacking | None = Lacking.PLAN
    for moment in sorted({*planned_at.values(), *told.values()}):
        version = max((v for v, at in planned_at.items() if at <= moment), default=None)
        lacking = Lacking.PLAN if version is None else _lacking(legs[version], told, moment)
        since = None if lacking else since or moment
    return since, lacking


def _plan_times(facts: Sequence[Fact]) -> Mapping[int, datetime]:
    """When each version's recipients were fixed."""
    times: dict[int, datetime] = {}
    for fact in facts:
        if fact.kind in (FactKind.ROUTED, FactKind.REFUSED):
            times[fact.version] = min(fact.occurred_at, times.get(fact.version, fact.occurred_at))
    return times


def _leg(rule: EveryAgencyTold, child_id: str, version: int, facts: Sequence[Fact]) -> _Leg:
    gone = _without_content(facts) | _left(facts)
    mine = [
        fact
        for fact in facts
        if (fact.version, fact.child_id, fact.role) == (version, child_id, rule.role)
        and fact.notice_id not in gone
    ]
    refused = [fact for fact in mine if fact.kind is FactKind.REFUSED]
    planned = [fact for fact in mine if fact.kind is FactKind.PLANNED]
    return _Leg(
        frozenset(fact.agency_id for fact in (*planned, *refused) if fact.agency_id),
        frozenset(fact.agency_id for fact in refused if fact.agency_id),
        any(fact.agency_id is None for fact in refused),
    )


def _told(rule: EveryAgencyTold, child_id: str, facts: Sequence[Fact]) -> Mapping[str, datetime]:
    """When each agency was first told of the child. A supersession tells nothing of it."""
    empty = _without_content(facts)
    told: dict[str, datetime] = {}
    for fact in facts:
        if fact.kind not in rule.by or fact.child_id != child_id or fact.notice_id in empty:
            continue
        if fact.agency_id is not None:
            earlier = told.get(fact.agency_id, fact.occurred_at)
            told[fact.agency_id] = min(fact.occurred_at, earlier)
    return told


def _without_content(facts: Sequence[Fact]) -> frozenset[str | None]:
    return frozenset(f.notice_id for f in facts if f.kind is FactKind.SUPERSESSION_PLANNED)


def _left(facts: Sequence[Fact]) -> frozenset[str | None]:
    """Whoever left a leg need not be told for it, whenever that comes to light."""
    return frozenset(f.notice_id for f in facts if f.kind is FactKind.LEFT)


def _lacking(leg: _Leg, told: Mapping[str, datetime], moment: datetime) -> Lacking | None:
    untold = {agency for agency in leg.agencies if agency not in told or told[agency] > moment}
    if not leg.agencies or leg.nobody_fits or untold & leg.refused:
        return Lacking.LAWFUL_RECIPIENT
    return Lacking.DELIVERY if untold else None
