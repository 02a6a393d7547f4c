"""P6: when a breach is announced, and how long it waits for facts that are on their way."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.deadlines.sla import ClockState, Lacking, Standing, state_of
from services.deadlines.verdicts import (
    PATIENCE,
    RECHECK,
    SETTLE,
    Breach,
    Evidence,
    LookAgain,
    Rest,
    look,
    look_at,
)
from tests.support.deadlines import DUE, HOUR, RECEIVED

OPEN = Standing(RECEIVED, DUE, None, Lacking.DELIVERY)
ALL_HERE = Evidence(DUE + HOUR, unfinished=False)
SOMETHING_MISSING = Evidence(DUE + HOUR, unfinished=True)
NOTIFY_AWAY = Evidence(None, unfinished=False)
SECOND = timedelta(seconds=1)


def told(at: datetime) -> Standing:
    return Standing(RECEIVED, DUE, at, None)


def test_an_open_clock_is_looked_at_when_facts_up_to_due_can_have_been_committed() -> None:
    assert look_at(OPEN, None) == DUE + SETTLE


@pytest.mark.parametrize("standing", [OPEN, told(DUE + HOUR)])
def test_a_breach_comes_once_everything_up_to_due_is_here(standing: Standing) -> None:
    assert look(standing, None, None, ALL_HERE, DUE + SECOND) == Breach()


def test_nothing_comes_of_a_clock_satisfied_in_time_or_announced() -> None:
    assert look(told(DUE), None, None, ALL_HERE, DUE + HOUR) == Rest()
    assert look(OPEN, DUE, None, ALL_HERE, DUE + HOUR) == Rest()


def test_too_early_is_looked_at_again_at_due_whatever_the_hosts_clock_did() -> None:
    """Also when time ran backwards, or the due time was amended meanwhile."""
    assert look(OPEN, None, None, ALL_HERE, DUE - HOUR) == LookAgain(DUE + SETTLE, None)


@pytest.mark.parametrize("evidence", [SOMETHING_MISSING, NOTIFY_AWAY])
def test_a_breach_waits_for_missing_facts_and_at_most_two_minutes_after_due(
    evidence: Evidence,
) -> None:
    first = look(OPEN, None, None, evidence, DUE + SETTLE)
    assert first == LookAgain(DUE + SETTLE + RECHECK, DUE)
    last_moment = DUE + timedelta(minutes=2)
    assert isinstance(look(OPEN, None, DUE, evidence, last_moment - SECOND), LookAgain)
    assert look(OPEN, None, DUE, evidence, last_moment) == Breach()


def test_facts_that_notify_dated_up_to_due_must_have_left_it() -> None:
    """Notify's clock may run behind ours: what counts is how far it has come by its own."""
    behind = Evidence(DUE - SECOND, unfinished=False)
    assert isinstance(look(OPEN, None, None, behind, DUE + HOUR), LookAgain)


def test_after_an_outage_the_two_minutes_begin_when_it_was_first_found_overdue() -> None:
    """Or every clock that fell due while deadlines was down would be called breached, its facts
    unread on the bus."""
    found = DUE + 5 * HOUR
    first = look(OPEN, None, None, SOMETHING_MISSING, found)
    assert isinstance(first, LookAgain)
    assert first.since == found - SETTLE
    assert look(OPEN, None, first.since, SOMETHING_MISSING, found + PATIENCE) == Breach()


@given(st.floats(0, 200, allow_nan=False))
def test_waiting_never_overshoots_the_two_minutes_and_looks_seldom(seconds: float) -> None:
    now = DUE + SETTLE + timedelta(seconds=seconds)
    verdict = look(OPEN, None, DUE, NOTIFY_AWAY, now)
    if now >= DUE + PATIENCE:
        assert verdict == Breach()
    else:
        assert isinstance(verdict, LookAgain)
        assert now < verdict.at <= DUE + PATIENCE


def test_two_minutes_of_waiting_cost_few_looks() -> None:
    now, looks = DUE + SETTLE, 0
    while isinstance(verdict := look(OPEN, None, DUE, NOTIFY_AWAY, now), LookAgain):
        now, looks = verdict.at, looks + 1
    assert looks < 40


@pytest.mark.parametrize(
    ("satisfied", "breached", "state"),
    [
        (None, None, ClockState.OPEN),
        (DUE, None, ClockState.SATISFIED),
        (DUE + HOUR, None, ClockState.OPEN),
        (None, DUE, ClockState.BREACHED),
        (DUE + HOUR, DUE, ClockState.SATISFIED_LATE),
        (DUE, DUE, ClockState.BREACHED_THEN_CORRECTED),
    ],
)
def test_the_state_follows_from_facts_and_announcements(
    satisfied: datetime | None, breached: datetime | None, state: ClockState
) -> None:
    standing = OPEN if satisfied is None else told(satisfied)
    assert state_of(standing, breached) is state


def test_moving_the_due_time_later_does_not_correct_a_breach() -> None:
    """Amending the time of receipt cannot talk an announced breach away."""
    later = Standing(RECEIVED + 2 * HOUR, DUE + 2 * HOUR, DUE + HOUR, None)
    assert state_of(later, DUE) is ClockState.SATISFIED_LATE


def test_a_correction_must_satisfy_an_earlier_due_time_too() -> None:
    earlier = Standing(RECEIVED - 2 * HOUR, DUE - 2 * HOUR, DUE - HOUR, None)
    assert state_of(earlier, DUE) is ClockState.SATISFIED_LATE
