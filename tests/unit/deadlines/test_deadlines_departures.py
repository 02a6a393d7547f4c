"""Children that are dropped, recipients that leave, breaches that come back: what clocks make of
them, and the edge cases of DOMAIN by number (P6)."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import count

import pytest

from services.deadlines.book import PolicyBook
from services.deadlines.clocks import Clock, wind
from services.deadlines.policy_files import load
from services.deadlines.reading import FactBearing
from services.deadlines.sla import ClockState, Lacking
from shared.contracts.codes import HtType, NoticeKind, Relation, Role, WithdrawalCause
from shared.contracts.registry import CONSUMERS, EVENTS
from tests.support.clock_events import acknowledged, linked, rerouted, told_orally, withdrawn
from tests.support.deadlines import (
    CHILD,
    DUE,
    HOUR,
    RECEIVED,
    agency,
    amended,
    delivered,
    facts,
    opaque,
    planned,
    received,
)

BOOK = PolicyBook(load())
MINUTE = timedelta(minutes=1)
SIBLING = opaque("chd", 2)


def wound(*events: FactBearing, running: Sequence[Clock] = ()) -> list[Clock]:
    numbers = count(1)
    return wind(BOOK, facts(*events), running, lambda: opaque("clk", next(numbers)))


def clocks_of(policy: str, *events: FactBearing) -> list[Clock]:
    return [clock for clock in wound(*events) if clock.policy == policy]


def clock_of(policy: str, *events: FactBearing) -> Clock:
    (clock,) = [clock for clock in clocks_of(policy, *events) if not clock.matter]
    return clock


# C28: an operation of the police


def test_c28_no_clock_follows_anything_that_is_under_embargo() -> None:
    """Intake keeps operations to itself: no event names one, so no clock, task, breach or calendar
    can show one. A referral linked to another of the same operation is a referral like any other,
    and its link moves no clock."""
    of_operations = [model.type for model in EVENTS if "operation" in model.type]
    assert of_operations == []
    followed = {model for model in EVENTS if "deadlines" in CONSUMERS[model.topic]}
    names = {name for model in followed for name in model.model_fields}
    assert not [name for name in names if "operation" in name or "embargo" in name]
    alone = (received(), planned("A"))
    same = linked(opaque("ref", 2), RECEIVED + HOUR, relation=Relation.SAME_OPERATION)
    assert [c.standing for c in wound(*alone, same)] == [c.standing for c in wound(*alone)]


# C29: the content of one child is destroyed, and later versions no longer state it


BOTH = {CHILD: HtType.SEX, SIBLING: HtType.SEX}


def of_sibling(policy: str, *events: FactBearing) -> Clock:
    (clock,) = [c for c in wound(*events) if (c.policy, c.child_id) == (policy, SIBLING)]
    return clock


@pytest.mark.parametrize("heard", ["in order", "plan first"])
def test_c29_a_version_that_no_longer_states_a_child_leaves_its_clocks_alone(heard: str) -> None:
    """Also while only the plan of that version is here: the topics race."""
    events = (
        received(children=BOTH),
        planned("A"),
        planned("A", child=SIBLING),
        delivered("A", RECEIVED + HOUR, child=SIBLING),
    )
    later = RECEIVED + 9000 * HOUR
    amendment = amended(2, {CHILD: HtType.SEX}, recorded_at=later)
    rest = (amendment, planned("A", later, version=2))
    after = of_sibling("le12", *events, *(rest if heard == "in order" else rest[1:]))
    assert after.standing == of_sibling("le12", *events).standing
    assert (after.state, after.look_at) == (ClockState.SATISFIED, None)


def test_c29_what_was_owed_to_a_destroyed_child_is_not_forgotten_either() -> None:
    events = (received(children=BOTH), planned("AB", child=SIBLING))
    told = delivered("A", RECEIVED + HOUR, child=SIBLING)
    dropped = (
        amended(2, {CHILD: HtType.SEX}, recorded_at=RECEIVED + 2 * HOUR),
        planned("A", RECEIVED + 2 * HOUR, version=2),
    )
    clock = of_sibling("le12", *events, told, *dropped)
    assert (clock.state, clock.standing.lacking) == (ClockState.OPEN, Lacking.DELIVERY)


def test_c29_a_conditional_duty_towards_a_destroyed_child_is_not_released_by_its_going() -> None:
    events = (received(children=BOTH), planned("N", role=Role.NCMEC, child=SIBLING))
    dropped = (
        amended(2, {CHILD: HtType.SEX}, recorded_at=RECEIVED + 2 * HOUR),
        planned("A", RECEIVED + 2 * HOUR, version=2),
    )
    assert of_sibling("ncmec24", *events, *dropped).state is ClockState.OPEN


# Reroutes: who left a leg, and from when


def test_whoever_leaves_a_leg_after_the_due_time_takes_no_breach_along() -> None:
    """B was responsible when the time was over, and had not been told."""
    events = (received(), planned("AB"), delivered("A", RECEIVED + HOUR))
    standing = clock_of("le12", *events, rerouted("B", "", DUE + 5 * HOUR)).standing
    assert standing.satisfied_at == DUE + 5 * HOUR
    assert not standing.in_time


# What was corrected and is owed again


def later(clock: Clock, *events: FactBearing) -> Clock:
    """The same clock once more is known."""
    (now,) = [c for c in wound(*events, running=[clock]) if c.key == clock.key]
    return now


def test_a_corrected_breach_that_was_one_all_the_same_is_said_once_more() -> None:
    events: list[FactBearing] = [received(), planned("A")]
    breached = clock_of("le12", *events).breached(DUE + HOUR)
    events.append(told_orally("A", DUE - HOUR, recorded_at=DUE + 2 * HOUR))
    corrected = later(breached, *events).corrected(DUE + 2 * HOUR)
    assert (corrected.state, corrected.missed_at) == (ClockState.BREACHED_THEN_CORRECTED, None)
    events.append(rerouted("A", "B", DUE + 5 * HOUR))
    owed = later(corrected, *events)
    assert (owed.state, owed.owes_correction) == (ClockState.OPEN, False)
    assert owed.look_at is not None
    again = later(owed.breached(DUE + 6 * HOUR), *events)
    assert (again.state, again.look_at, again.correction) == (ClockState.BREACHED, None, None)
    assert again.breach is not None
    assert (again.breach.turn, again.breach.due_at) == (2, DUE)
    events.append(delivered("B", DUE + 9 * HOUR))
    assert later(again, *events).state is ClockState.SATISFIED_LATE


def test_a_correction_stands_while_it_is_so() -> None:
    events: list[FactBearing] = [received(), planned("A")]
    breached = clock_of("le12", *events).breached(DUE + HOUR)
    events.append(delivered("A", DUE - HOUR))
    corrected = later(breached, *events).corrected(DUE + 2 * HOUR)
    events.append(delivered("A", DUE + 3 * HOUR, version=2))
    assert later(corrected, *events) == corrected._replace(look_at=None)


# Who need not, or may not, be asked whether it heard


def heard(*events: FactBearing) -> Clock:
    (clock,) = [c for c in clocks_of("ack24", *events) if c.matter == agency("A")]
    return clock


TOLD = (received(), planned("A"), delivered("A", RECEIVED + HOUR))
LEFT_AT = RECEIVED + 2 * HOUR


@pytest.mark.parametrize("to", ["", "B"])
def test_c15_c16_whoever_gave_it_back_was_never_meant_or_is_in_conflict_owes_no_answer(
    to: str,
) -> None:
    clock = heard(*TOLD, rerouted("A", to, LEFT_AT))
    assert (clock.state, clock.look_at) == (ClockState.RELEASED, None)
    assert clock.standing.satisfied_at == LEFT_AT


def test_c16_leaving_after_the_day_was_over_erases_no_breach() -> None:
    clock = heard(*TOLD, rerouted("A", "B", RECEIVED + 26 * HOUR))
    assert clock.state is ClockState.OPEN
    assert clock.breached(RECEIVED + 27 * HOUR).state is ClockState.BREACHED


def test_c16_leaving_counts_for_what_earlier_versions_told() -> None:
    corrected = (amended(2), planned("A", RECEIVED + 90 * MINUTE, version=2))
    clock = heard(*TOLD, *corrected, rerouted("A", "B", LEFT_AT, version=2))
    assert clock.state is ClockState.RELEASED


def test_c16_what_was_under_way_when_the_conflict_came_asks_nobody() -> None:
    events = (received(), planned("A"), rerouted("A", "B", RECEIVED + HOUR))
    late = delivered("A", RECEIVED + HOUR + MINUTE)
    assert clocks_of("ack24", *events, late) == []


def test_c16_once_the_conflict_is_lifted_and_it_is_told_anew_its_day_begins_anew() -> None:
    again = RECEIVED + 50 * HOUR
    events = (*TOLD, rerouted("A", "B", LEFT_AT), amended(2, recorded_at=again))
    back = (planned("A", again, version=2), delivered("A", again + HOUR, version=2))
    clock = heard(*events, *back)
    assert (clock.state, clock.standing.due_at) == (ClockState.OPEN, again + 25 * HOUR)


def test_c14_acknowledging_the_withdrawal_answers_for_the_referral_too() -> None:
    news = planned("A", LEFT_AT, version=2, kind=NoticeKind.WITHDRAWAL)
    said = acknowledged("A", LEFT_AT + HOUR, version=2)
    clock = heard(*TOLD, withdrawn(LEFT_AT, WithdrawalCause.MISTAKEN_REPORT), news, said)
    assert (clock.state, clock.standing.satisfied_at) == (ClockState.SATISFIED, LEFT_AT + HOUR)
    assert heard(*TOLD, news, said).state is ClockState.SATISFIED


def test_c14_what_told_nothing_of_the_child_asks_for_no_answer_and_answers_nothing_before() -> None:
    news = planned("A", RECEIVED, version=2, kind=NoticeKind.SUPERSESSION)
    said = acknowledged("A", RECEIVED + MINUTE, version=2)
    assert clocks_of("ack24", received(), news, said) == []
    assert heard(*TOLD, news, said).standing.lacking is Lacking.ANSWER
