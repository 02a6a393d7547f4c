"""What the tables' rows mean."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from services.deadlines.clocks import Announced, Clock
from services.deadlines.facts import Fact, FactKind, Statement
from services.deadlines.sayings import turn_of
from services.deadlines.sla import ClockState, Lacking, Standing
from shared.contracts.codes import HtType, Role, Stage, Trigger

E = TypeVar("E", bound=StrEnum)


def _members(of: type[E]) -> Mapping[str | None, E | None]:
    """By what is written in a column. Calling the enumeration takes five times as long."""
    return {None: None, **{each.value: each for each in of}}


_NONE = frozenset[int]()
_KINDS = {kind.value: kind for kind in FactKind}
_STATES = {state.value: state for state in ClockState}
_ROLES, _STAGES, _LACKING = _members(Role), _members(Stage), _members(Lacking)


def _statement_json(statement: Statement) -> str:
    return json.dumps(
        {
            "received_at": statement.received_at.isoformat(),
            "trigger": statement.trigger.value,
            "ht_type": statement.ht_type.value,
            "synthetic": statement.synthetic,
        }
    )


def _statement(body: Mapping[str, Any]) -> Statement:
    return Statement(
        datetime.fromisoformat(body["received_at"]),
        Trigger(body["trigger"]),
        HtType(body["ht_type"]),
        body["synthetic"],
    )


def fact(row: Iterable[Any]) -> Fact:
    """From a row with the columns of a fact in its own order."""
    event, place, kind, referral, at, version, child, role, agency, notice, said, stage, matter = (
        row
    )
    return Fact(
        event,
        place,
        _KINDS[kind],
        referral,
        at,
        version,
        child,
        _ROLES[role],
        agency,
        notice,
        said and _statement(json.loads(said)),
        _STAGES[stage],
        matter,
    )


def clock(row: Sequence[Any]) -> Clock:
    """From a row of `store.CLOCKS`."""
    clock_id, referral, child, duty, matter, role, policy, version, synthetic = row[:9]
    basis_at, due_at, satisfied_at, lacking, released = row[9:14]
    state, look_at, waiting_since, warned, breach_kind = row[14:19]
    breach, correction = _announced(breach_kind, *row[19:]) if breach_kind else (None, None)
    return Clock(
        clock_id,
        referral,
        child,
        duty,
        matter,
        _ROLES[role],
        policy,
        version,
        synthetic,
        Standing(basis_at, due_at, satisfied_at, _LACKING[lacking], released),
        _STATES[state],
        look_at,
        waiting_since,
        breach,
        correction,
        frozenset(map(int, warned.split())) if warned else _NONE,
    )


def _announced(
    kind: str,
    due_at: datetime,
    discovered_at: datetime,
    reason: str | None,
    corrected_due_at: datetime | None,
    corrected_at: datetime | None,
    satisfied_at: datetime | None,
) -> tuple[Announced, Announced | None]:
    """The latest breach, and its correction."""
    turn = turn_of(kind)
    breach = Announced(due_at, discovered_at, None, reason, turn)
    if corrected_due_at is None or corrected_at is None:
        return breach, None
    return breach, Announced(corrected_due_at, corrected_at, satisfied_at, None, turn)


def fact_columns(facts: Sequence[Fact]) -> dict[str, list[object]]:
    return {
        "event_ids": [fact.event_id for fact in facts],
        "places": [fact.place for fact in facts],
        "kinds": [fact.kind.value for fact in facts],
        "referral_ids": [fact.referral_id for fact in facts],
        "times": [fact.occurred_at for fact in facts],
        "versions": [fact.version for fact in facts],
        "child_ids": [fact.child_id for fact in facts],
        "roles": [fact.role for fact in facts],
        "agency_ids": [fact.agency_id for fact in facts],
        "notice_ids": [fact.notice_id for fact in facts],
        "stages": [fact.stage for fact in facts],
        "matters": [fact.matter for fact in facts],
        "statements": [fact.statement and _statement_json(fact.statement) for fact in facts],
    }


def clock_columns(clocks: Sequence[Clock]) -> dict[str, list[object]]:
    return {
        "clock_ids": [clock.clock_id for clock in clocks],
        "referral_ids": [clock.referral_id for clock in clocks],
        "child_ids": [clock.child_id for clock in clocks],
        "duties": [clock.duty for clock in clocks],
        "roles": [clock.role for clock in clocks],
        "policies": [clock.policy for clock in clocks],
        "versions": [clock.policy_version for clock in clocks],
        "synthetic": [clock.synthetic for clock in clocks],
        "bases": [clock.standing.basis_at for clock in clocks],
        "dues": [clock.standing.due_at for clock in clocks],
        "satisfied": [clock.standing.satisfied_at for clock in clocks],
        "lacking": [clock.standing.lacking for clock in clocks],
        "states": [clock.state.value for clock in clocks],
        "looks": [clock.look_at for clock in clocks],
        "waiting": [clock.waiting_since for clock in clocks],
        "matters": [clock.matter for clock in clocks],
        "released": [clock.standing.released for clock in clocks],
        "warned": [" ".join(map(str, sorted(clock.warned))) or None for clock in clocks],
    }
