"""Retry and breaker: it never gives up, and it leaves a sick agency in peace."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.delivery.outcomes import Answered, NotSent, Obstacle, Outcome, Unknown
from services.notify.delivery.retry import (
    LONGEST_HOLD,
    LONGEST_RETRY_AFTER,
    TRIP_AFTER,
    Breaker,
    Delivered,
    RetryAt,
    Superseded,
    Verdict,
    after_attempt,
    delay,
    judge,
    verdict,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SICK = Verdict(healthy=False, probe=False)
PROBE_FAILED = Verdict(healthy=False, probe=True)
WELL = Verdict(healthy=True, probe=False)

outcomes = st.one_of(
    st.builds(NotSent, st.sampled_from(Obstacle)),
    st.builds(Unknown, st.booleans()),
    st.builds(Answered, st.integers(300, 599), st.none() | st.floats(0, 1e12, allow_nan=False)),
)


def _retry(outcome: Outcome, attempts: int, luck: float = 0.0) -> datetime:
    step = after_attempt(
        outcome, delivered=False, superseded=False, attempts=attempts, now=NOW, luck=luck
    )
    assert isinstance(step, RetryAt)
    return step.when


def test_waits_double_from_half_a_second_to_five_minutes() -> None:
    waits = [delay(attempts, luck=0.0).total_seconds() for attempts in range(1, 13)]
    assert waits == [0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


@given(outcomes, st.integers(1, 100_000), st.floats(0, 1))
def test_it_never_gives_up(outcome: Outcome, attempts: int, luck: float) -> None:
    """P1: whatever the outcome, however often, there is a next attempt, and a near one."""
    when = _retry(outcome, attempts, luck)
    assert NOW < when <= NOW + LONGEST_RETRY_AFTER


@given(st.integers(1, 100_000), st.floats(0, 1))
def test_jitter_only_adds_and_at_most_a_fifth(attempts: int, luck: float) -> None:
    assert delay(attempts, 0) <= delay(attempts, luck) <= 1.2 * delay(attempts, 0)


def test_retry_after_is_a_floor_and_not_a_ceiling() -> None:
    assert _retry(Answered(429, retry_after=30.0), attempts=1) == NOW + timedelta(seconds=30)
    assert _retry(Answered(503, retry_after=1.0), attempts=12) == NOW + timedelta(seconds=300)


def test_a_partner_cannot_ask_for_silence() -> None:
    for seconds in (1e9, 1e300, float("inf")):
        answered = Answered(503, retry_after=seconds)
        assert _retry(answered, attempts=1) == NOW + LONGEST_RETRY_AFTER


def test_a_delivery_with_a_successor_is_not_retried() -> None:
    """P8."""
    step = after_attempt(Unknown(), delivered=False, superseded=True, attempts=1, now=NOW, luck=0.0)
    assert step == Superseded()


def test_a_2xx_on_record_ends_it_even_when_a_successor_waits() -> None:
    step = after_attempt(Unknown(), delivered=True, superseded=True, attempts=2, now=NOW, luck=0.0)
    assert step == Delivered()


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Answered(200), Verdict(True, False)),
        (Answered(204), Verdict(True, False)),
        (Answered(301), Verdict(False, False)),
        (Answered(400), Verdict(False, False)),
        (Unknown(), Verdict(False, False)),
        (NotSent(Obstacle.UNREACHABLE), Verdict(False, False)),
        (NotSent(Obstacle.UNSEALABLE), None),
        (NotSent(Obstacle.INTERRUPTED), None),
        (Unknown(ours=True), None),
    ],
)
def test_only_what_the_agency_did_counts_against_it(
    outcome: Outcome, expected: Verdict | None
) -> None:
    assert verdict(outcome, probe=False) == expected


def test_the_breaker_trips_after_failures_in_a_row() -> None:
    nearly = judge(Breaker(), [SICK] * (TRIP_AFTER - 1), NOW)
    assert not nearly.tripped
    assert nearly.hold_until is None
    tripped = judge(nearly, [SICK], NOW)
    assert tripped.tripped
    assert tripped.hold_until == NOW + timedelta(seconds=1)


def test_a_success_between_failures_starts_the_count_again() -> None:
    assert not judge(Breaker(), [SICK] * 4 + [WELL] + [SICK] * 4, NOW).tripped


def test_a_burst_in_flight_when_it_trips_does_not_lengthen_the_hold() -> None:
    assert judge(Breaker(), [SICK] * 40, NOW).hold_until == NOW + timedelta(seconds=1)


def test_failed_probes_double_the_hold_to_a_minute_and_no_further() -> None:
    breaker = judge(Breaker(), [SICK] * TRIP_AFTER, NOW)
    holds = []
    for _ in range(9):
        breaker = judge(breaker, [PROBE_FAILED], NOW)
        assert breaker.hold_until is not None
        holds.append((breaker.hold_until - NOW).total_seconds())
    assert holds == [2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert LONGEST_HOLD.total_seconds() == 60


def test_one_success_closes_the_breaker() -> None:
    tripped = judge(Breaker(), [SICK] * TRIP_AFTER, NOW)
    assert judge(tripped, [WELL], NOW) == Breaker()
