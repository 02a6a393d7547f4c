"""The edge cases of DOMAIN, by number, as far as clocks decide them (P6)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from services.deadlines.book import PolicyBook
from services.deadlines.clocks import Clock, wind
from services.deadlines.policy_files import load
from services.deadlines.reading import FactBearing
from services.deadlines.sla import ClockState, Lacking
from shared.contracts.base import EventData
from shared.contracts.codes import NoticeKind, Role, Stage, WithdrawalCause
from shared.contracts.registry import CONSUMERS, EVENTS
from tests.support.clock_events import (
    acknowledged,
    closed,
    consult_completed,
    consult_entered,
    consult_requested,
    decided,
    flagged,
    held,
    identified,
    linked,
    picked_up,
    pointed,
    rerouted,
    told_orally,
    withdrawn,
)
from tests.support.deadlines import (
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
    refused,
)

BOOK = PolicyBook(load())
MINUTE = timedelta(minutes=1)
ICO = Role.INTERSTATE_COMPACT


def wound(*events: FactBearing, running: Sequence[Clock] = ()) -> list[Clock]:
    numbers = count(1)
    return wind(BOOK, facts(*events), running, lambda: opaque("clk", next(numbers)))


def clock_of(policy: str, *events: FactBearing, matter: str = "") -> Clock:
    (clock,) = [c for c in wound(*events) if (c.policy, c.matter) == (policy, matter)]
    return clock


def clocks_of(policy: str, *events: FactBearing) -> list[Clock]:
    return [clock for clock in wound(*events) if clock.policy == policy]


# C9: the same facts from an ongoing worker and from the Careline


def test_c9_a_related_notice_meets_the_duty_of_the_second_referral_and_takes_nothing_back() -> None:
    first = (received(), planned("A"), delivered("A", RECEIVED + HOUR))
    second = opaque("ref", 2)
    related = (
        received(second),
        linked(opaque("ref", 1), RECEIVED + HOUR, referral=second),
        planned("A", referral=second, kind=NoticeKind.RELATED),
    )
    told = delivered("A", RECEIVED + 2 * HOUR, referral=second)
    assert clock_of("le12", *related).standing.lacking is Lacking.DELIVERY
    assert clock_of("le12", *related, told).state is ClockState.SATISFIED
    both = (*first, linked(second, RECEIVED + 3 * HOUR))
    assert clock_of("le12", *both).standing.satisfied_at == RECEIVED + HOUR


# C11, C12: accepted, not accepted, reversed


def accepted_leg(at: datetime, whom: str = "D") -> FactBearing:
    return planned(whom, at, role=ICO, stage=Stage.ACCEPTED)


def test_c11_a_referral_that_is_not_accepted_has_no_interstate_clock_and_keeps_the_others() -> None:
    events = (received(), planned("A"), decided(1, False, RECEIVED + HOUR))
    assert clocks_of("ico1", *events) == []
    assert clock_of("le12", *events).state is ClockState.OPEN


def test_c12_the_interstate_hour_runs_from_the_acceptance() -> None:
    at = RECEIVED + 5 * HOUR
    clock = clock_of("ico1", received(), decided(1, True, at), accepted_leg(at + MINUTE))
    assert (clock.standing.basis_at, clock.standing.due_at) == (at, at + HOUR)
    told = delivered("D", at + 50 * MINUTE, role=ICO)
    events = (received(), decided(1, True, at), accepted_leg(at), told)
    assert clock_of("ico1", *events).state is ClockState.SATISFIED


def test_c12_a_plan_of_acceptance_takes_nothing_from_the_plan_of_receipt() -> None:
    events = (received(), planned("A"), delivered("A", RECEIVED + HOUR))
    later = (decided(1, True, RECEIVED + 2 * HOUR), accepted_leg(RECEIVED + 2 * HOUR))
    assert clock_of("le12", *events, *later).standing.satisfied_at == RECEIVED + HOUR


def test_c12_a_reversal_in_time_releases_and_a_late_one_erases_nothing() -> None:
    at = RECEIVED + HOUR
    events = (received(), decided(1, True, at), accepted_leg(at))
    soon = clock_of("ico1", *events, decided(2, False, at + 30 * MINUTE))
    assert (soon.state, soon.look_at) == (ClockState.RELEASED, None)
    late = clock_of("ico1", *events, decided(2, False, at + 2 * HOUR))
    assert late.state is ClockState.OPEN
    assert late.look_at is not None
    assert late.breached(at + 3 * HOUR).state is ClockState.BREACHED


def test_c12_a_reversal_cannot_be_dated_back_behind_the_due_time() -> None:
    at = RECEIVED + HOUR
    backdated = decided(2, False, at + MINUTE, recorded_at=at + 9 * HOUR)
    events = (received(), decided(1, True, at), accepted_leg(at), backdated)
    assert clock_of("ico1", *events).state is ClockState.OPEN


def test_c12_accepted_again_the_hour_begins_anew() -> None:
    at, again = RECEIVED + HOUR, RECEIVED + 8 * HOUR
    events = (received(), decided(1, True, at), decided(2, False, at + MINUTE))
    clock = clock_of("ico1", *events, decided(3, True, again), accepted_leg(again))
    assert (clock.standing.basis_at, clock.state) == (again, ClockState.OPEN)


def test_c12_an_hour_that_was_missed_stays_missed_whatever_was_decided_afterwards() -> None:
    at = RECEIVED + HOUR
    events = (received(), decided(1, True, at), accepted_leg(at))
    later = (decided(2, False, at + 2 * HOUR), decided(3, True, at + 9 * HOUR))
    clock = clock_of("ico1", *events, *later)
    assert (clock.standing.due_at, clock.state) == (at + HOUR, ClockState.OPEN)


# C14: withdrawn


@pytest.mark.parametrize("cause", list(WithdrawalCause))
def test_c14_only_what_nobody_reported_releases_its_clocks(cause: WithdrawalCause) -> None:
    """Otherwise the original goes first, then the withdrawal, and the clocks run."""
    clock = clock_of("le12", received(), planned("A"), withdrawn(RECEIVED + HOUR, cause))
    released = cause is WithdrawalCause.ENTERED_IN_ERROR
    assert clock.state is (ClockState.RELEASED if released else ClockState.OPEN)


def test_c14_a_withdrawal_after_the_due_time_erases_no_breach() -> None:
    events = (received(), planned("A"), withdrawn(DUE + HOUR))
    clock = clock_of("le12", *events)
    assert clock.look_at is not None
    assert clock.breached(DUE + 2 * HOUR).state is ClockState.BREACHED


def test_c14_a_notice_of_the_withdrawal_is_no_notice_of_the_referral() -> None:
    news = planned("A", RECEIVED + HOUR, version=2, kind=NoticeKind.WITHDRAWAL)
    told = delivered("A", RECEIVED + 2 * HOUR, version=2)
    clock = clock_of("le12", received(), planned("A"), news, told)
    assert clock.standing.lacking is not None


# C19 (part), C27: what no clock knows


def test_c19_c27_no_event_that_clocks_follow_says_how_old_a_child_is_or_where_from() -> None:
    """So neither turning 18 nor an erased record changes a clock; the alarm is intake's."""
    consumed = [m for m in EVENTS if "deadlines" in CONSUMERS[m.topic]]
    names = {name for model in consumed for name in _names(model)}
    private = ("birth", "age_", "town", "national", "name", "sealed", "operation")
    assert not [name for name in names if any(word in name for word in private)]


def _names(model: type[EventData]) -> set[str]:
    schema = model.model_json_schema()
    parts = [schema, *schema.get("$defs", {}).values()]
    return {name for part in parts for name in part.get("properties", ())}


# C26, C27: missing from care, foreign nationality. A leg's existence is all that is known


@pytest.mark.parametrize(
    ("policy", "role"),
    [("ncmec24", Role.NCMEC), ("hhs24", Role.ELIGIBILITY_COORDINATOR)],
)
def test_c26_c27_a_leg_in_the_first_plan_starts_24_hours_at_receipt(
    policy: str, role: Role
) -> None:
    assert clocks_of(policy, received(), planned("A")) == []
    clock = clock_of(policy, received(), planned("A"), planned("N", role=role))
    assert clock.standing.due_at == RECEIVED + 24 * HOUR
    assert clock.standing.lacking is Lacking.DELIVERY
    nobody = clock_of(policy, received(), planned("A"), refused([None], role=role))
    assert nobody.standing.lacking is Lacking.LAWFUL_RECIPIENT


def test_c27_what_a_later_version_first_says_was_discovered_when_it_was_recorded() -> None:
    """22 USC 7105(b)(1): from discovering it."""
    role, later = Role.ELIGIBILITY_COORDINATOR, RECEIVED + 40 * HOUR
    second = (amended(2, recorded_at=later), planned("E", later + MINUTE, version=2, role=role))
    clock = clock_of("hhs24", received(), planned("A"), *second)
    assert (clock.standing.basis_at, clock.standing.due_at) == (later, later + 24 * HOUR)


def test_c26_a_plan_without_the_leg_ends_the_duty_from_then_on() -> None:
    legs = (received(), planned("N", role=Role.NCMEC))
    found = planned("A", RECEIVED + 3 * HOUR, version=2)
    clock = clock_of("ncmec24", *legs, found)
    assert (clock.state, clock.standing.satisfied_at) == (
        ClockState.RELEASED,
        RECEIVED + 3 * HOUR,
    )
    too_late = clock_of("ncmec24", *legs, planned("A", RECEIVED + 30 * HOUR, version=2))
    assert too_late.state is ClockState.OPEN


# C30: consults


def test_c30_the_first_request_starts_the_72_hours_and_a_second_one_joins() -> None:
    events = (received(), consult_requested(RECEIVED))
    joined = consult_requested(RECEIVED, request=2, made_at=RECEIVED + 9 * HOUR)
    (clock,) = clocks_of("hart72", *events, joined)
    assert clock.standing.due_at == RECEIVED + 72 * HOUR
    assert (clock.role, clock.matter) == (None, opaque("con", 1))


def test_c30_an_earlier_request_that_becomes_known_later_moves_it_back() -> None:
    events = (received(), consult_requested(RECEIVED + 5 * HOUR), consult_requested(RECEIVED))
    (clock,) = clocks_of("hart72", *events)
    assert clock.standing.basis_at == RECEIVED


def test_c30_a_consult_opened_again_is_a_clock_of_its_own() -> None:
    again = RECEIVED + 200 * HOUR
    events = (
        received(),
        consult_requested(RECEIVED),
        consult_completed(RECEIVED + HOUR),
        consult_requested(again, consult=opaque("con", 2)),
    )
    first, second = clocks_of("hart72", *events)
    assert first.state is ClockState.SATISFIED
    assert (second.state, second.standing.due_at) == (ClockState.OPEN, again + 72 * HOUR)


# C31: calendars


def test_c31_five_days_end_with_the_fifth_day_in_connecticut() -> None:
    """Completed at 20:00 UTC on 7 March, before the clocks go forward; the 12th ends at 04:00 UTC
    of the 13th, an hour earlier than it would have a week before."""
    events = (received(), consult_requested(RECEIVED), consult_completed(RECEIVED))
    (clock,) = clocks_of("entry5d", *events)
    assert clock.standing.due_at == datetime(2026, 3, 13, 4, 0, tzinfo=UTC)
    entered = consult_entered(datetime(2026, 3, 13, 3, 59, tzinfo=UTC))
    assert clocks_of("entry5d", *events, entered)[0].state is ClockState.SATISFIED


def test_c31_the_grace_of_monthly_data_counts_working_days_and_no_holiday() -> None:
    """2026: 1 to 3 April, Good Friday the 3rd, Monday the 6th: the fifth is Wednesday the 8th."""
    events = (received(), consult_requested(RECEIVED), consult_completed(RECEIVED))
    (clock,) = clocks_of("monthly_data", *events)
    assert clock.standing.due_at == datetime(2026, 4, 9, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize("received_at", ["2026-03-08T00:00:00", "2026-11-01T00:00:00"])
def test_c31_72_and_12_hours_are_elapsed_across_the_change_of_the_clocks(received_at: str) -> None:
    at = datetime.fromisoformat(received_at).replace(tzinfo=UTC)
    events = (received(at=at), consult_requested(at))
    assert clock_of("le12", *events).standing.due_at - at == 12 * HOUR
    assert clocks_of("hart72", *events)[0].standing.due_at - at == 72 * HOUR


# C32: outages, pointers, word of mouth


def test_c32_a_pointer_tells_nothing_and_opening_it_does() -> None:
    events = (received(), planned("A"), pointed("A", RECEIVED + HOUR))
    assert clock_of("le12", *events).standing.lacking is Lacking.DELIVERY
    opened = picked_up("A", RECEIVED + 3 * HOUR)
    assert clock_of("le12", *events, opened).standing.satisfied_at == RECEIVED + 3 * HOUR


def test_c32_told_by_word_of_mouth_counts_when_it_was_said_however_late_it_was_entered() -> None:
    told = told_orally("A", DUE - HOUR, recorded_at=DUE + 30 * HOUR)
    assert clock_of("le12", received(), planned("A"), told).standing.in_time


@pytest.mark.parametrize("nothing", [held("A", RECEIVED), closed("A", RECEIVED)])
def test_c32_holding_or_closing_a_notice_stops_no_clock(nothing: FactBearing) -> None:
    clock = clock_of("le12", received(), planned("A"), nothing)
    assert (clock.state, clock.standing.due_at) == (ClockState.OPEN, DUE)


def test_c32_whoever_was_told_has_a_day_to_say_so() -> None:
    events = (received(), planned("AB"), delivered("A", RECEIVED + HOUR))
    asked = clock_of("ack24", *events, matter=agency("A"))
    assert asked.standing.due_at == RECEIVED + 25 * HOUR
    assert asked.standing.lacking is Lacking.ANSWER
    answer = acknowledged("A", RECEIVED + 2 * HOUR)
    assert clock_of("ack24", *events, answer, matter=agency("A")).state is ClockState.SATISFIED
    assert len(clocks_of("ack24", *events)) == 1


def test_c32_a_reroute_keeps_the_due_time_and_asks_for_the_substitute() -> None:
    events = (received(), planned("AB"), delivered("A", RECEIVED + HOUR))
    moved = rerouted("B", "C", RECEIVED + 11 * HOUR)
    clock = clock_of("le12", *events, moved)
    assert (clock.standing.due_at, clock.standing.lacking) == (DUE, Lacking.DELIVERY)
    told = delivered("C", RECEIVED + 11 * HOUR + MINUTE)
    assert clock_of("le12", *events, moved, told).standing.in_time


# C33: backdated


def test_c33_a_backdated_identification_is_due_before_it_was_heard_of() -> None:
    clock = clock_of("le24_identified", received(), planned("A"), identified(RECEIVED - 30 * HOUR))
    assert clock.standing.due_at == RECEIVED - 6 * HOUR
    assert clock.look_at is not None
    assert clock.look_at < RECEIVED


@pytest.mark.parametrize("moved", [timedelta(hours=3), timedelta(days=10)])
def test_c33_received_at_amended_after_the_due_time_moves_it_no_further_off(
    moved: timedelta,
) -> None:
    """However slow the sweeper was to announce the breach; and a third version does not either,
    though by the second one's word it would be in time."""
    late = amended(2, at=RECEIVED + moved, recorded_at=DUE + HOUR)
    third = amended(3, at=RECEIVED + 2 * moved, recorded_at=DUE + 2 * HOUR)
    told = delivered("A", DUE + 2 * HOUR)
    for events in ((late,), (late, third)):
        clock = clock_of("le12", received(), planned("A"), *events, told)
        assert (clock.standing.due_at, clock.standing.in_time) == (DUE, False)


def test_c33_received_at_amended_in_time_moves_the_due_time() -> None:
    events = (received(), amended(2, at=RECEIVED + 3 * HOUR, recorded_at=DUE))
    assert clock_of("le12", *events).standing.due_at == DUE + 3 * HOUR
    again = amended(3, at=RECEIVED + 4 * HOUR, recorded_at=DUE + 2 * HOUR)
    assert clock_of("le12", *events, again).standing.due_at == DUE + 4 * HOUR


def test_c33_what_turns_out_to_have_been_received_earlier_was_due_earlier() -> None:
    """Else a breach is hidden by entering too late a time and mending it afterwards."""
    earlier = amended(2, at=RECEIVED - 2 * HOUR, recorded_at=DUE + 9 * HOUR)
    told = delivered("A", DUE - HOUR)
    clock = clock_of("le12", received(), planned("A"), told, earlier)
    assert (clock.standing.due_at, clock.standing.in_time) == (DUE - 2 * HOUR, False)


def test_c33_each_clock_has_its_own_end_by_which_an_amendment_is_in_time() -> None:
    """24 hours of the Coordinator's are not over when the 12 of the police are."""
    role = Role.ELIGIBILITY_COORDINATOR
    events = (received(), planned("A"), planned("E", role=role))
    later = amended(2, at=RECEIVED + HOUR, recorded_at=DUE + HOUR)
    assert clock_of("le12", *events, later).standing.due_at == DUE
    assert clock_of("hhs24", *events, later).standing.due_at == RECEIVED + 25 * HOUR


def test_a_confirmed_victim_of_whom_police_were_told_before_needs_no_second_report() -> None:
    events = (received(), planned("A"), delivered("A", RECEIVED + HOUR))
    clock = clock_of("le24_identified", *events, identified(RECEIVED + 99 * HOUR))
    assert clock.state is ClockState.SATISFIED


def test_the_outcome_of_a_consult_is_no_notice_of_the_referral() -> None:
    shared = planned("A", RECEIVED + HOUR, role=Role.MDT, stage=Stage.CONSULT_SHARED)
    told = delivered("A", RECEIVED + 2 * HOUR, role=Role.MDT)
    clock = clock_of("mdt12", received(), planned("B", role=Role.MDT), shared, told)
    assert clock.standing.lacking is Lacking.DELIVERY


def test_a_flagged_case_is_kept_and_starts_no_clock() -> None:
    """No event says which referral ends it, so a clock of it would lie."""
    (fact,) = facts(flagged(RECEIVED))
    assert fact.kind == "case.flagged"
    assert wind(BOOK, [fact], [], lambda: "clk") == []


def test_a_clock_whose_beginning_is_taken_back_is_released_and_its_breach_corrected() -> None:
    """A delivery that told nothing: the plan that says so comes after it."""
    told = (received(), delivered("A", RECEIVED, version=2))
    (asked,) = [clock for clock in wound(*told) if clock.policy == "ack24"]
    breached = asked.breached(RECEIVED + 25 * HOUR)
    plan = planned("B", version=2, superseded="A")
    after = wound(*told, plan, running=[breached])
    (now,) = [clock for clock in after if clock.policy == "ack24"]
    assert (now.state, now.owes_correction) == (ClockState.BREACHED_THEN_CORRECTED, True)
    assert now.clock_id == asked.clock_id
