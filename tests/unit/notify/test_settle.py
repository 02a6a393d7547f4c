"""What the end of an attempt makes of a delivery, on time or late (P6, P8)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.delivery.attempts import Ended, Standing, adds_something, settle
from services.notify.delivery.outcomes import Answered, NotSent, Obstacle, Outcome, Unknown
from services.notify.planning.plan import DeliveryState
from shared.contracts.codes import Channel, Role

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
EARLIER = NOW - timedelta(seconds=30)
OPEN = Standing(
    notice_id="ntc",
    referral_id="ref",
    child_id="chd",
    agency_id="agy",
    role=Role.FBI,
    version=1,
    state=DeliveryState.ATTEMPTING,
    attempts=1,
    superseded_by=None,
    open_disclosure_id="dsc_now",
    next_attempt_at=None,
    delivered_at=None,
    ended_at=None,
)
WAITING = replace(OPEN, state=DeliveryState.PENDING, open_disclosure_id=None, next_attempt_at=NOW)

outcomes = st.one_of(
    st.builds(NotSent, st.sampled_from(Obstacle)),
    st.builds(Unknown, st.booleans()),
    st.builds(Answered, st.integers(200, 599), st.none() | st.floats(0, 1e9)),
)
standings = st.builds(
    replace,
    st.just(OPEN),
    state=st.sampled_from(DeliveryState),
    superseded_by=st.none() | st.just(2),
    delivered_at=st.none() | st.just(EARLIER),
    attempts=st.integers(1, 50),
)


def _ended(outcome: Outcome, disclosure_id: str = "dsc_now", at: datetime = NOW) -> Ended:
    return Ended(disclosure_id, "ntc", "agy", outcome, at)


@given(outcomes, st.none() | st.just(2), st.none() | st.just(EARLIER), st.integers(1, 99))
def test_an_attempt_that_ends_leaves_nothing_open_and_nothing_forgotten(
    outcome: Outcome, superseded_by: int | None, delivered_at: datetime | None, attempts: int
) -> None:
    """P1, P8: delivered, superseded, or to be tried again at a set time; never in between."""
    standing = replace(
        OPEN, superseded_by=superseded_by, delivered_at=delivered_at, attempts=attempts
    )
    after = settle(standing, _ended(outcome), NOW, 0.5)
    assert after.open_disclosure_id is None
    if after.delivered_at is not None:
        assert after.state is DeliveryState.DELIVERED
    elif superseded_by is not None:
        assert after.state is DeliveryState.SUPERSEDED
    else:
        assert after.state is DeliveryState.PENDING
        assert after.next_attempt_at is not None
        assert after.next_attempt_at > NOW
    assert (after.ended_at is None) is (after.state is DeliveryState.PENDING)


@given(standings, outcomes)
def test_a_late_outcome_never_ends_another_attempt(standing: Standing, outcome: Outcome) -> None:
    after = settle(standing, _ended(outcome, "dsc_earlier", EARLIER), NOW, 0.5)
    if standing.state is DeliveryState.ATTEMPTING:
        assert replace(after, delivered_at=None) == replace(standing, delivered_at=None)
    elif not _ended(outcome).accepted:
        assert after == standing


def test_a_late_2xx_counts_from_its_own_time_and_needs_no_retry() -> None:
    after = settle(WAITING, _ended(Answered(200), "dsc_earlier", EARLIER), NOW, 0.5)
    assert (after.state, after.delivered_at) == (DeliveryState.DELIVERED, EARLIER)
    assert after.next_attempt_at is None


def test_a_late_2xx_does_not_reopen_what_a_person_closed() -> None:
    closed = replace(WAITING, state=DeliveryState.CLOSED, next_attempt_at=None)
    after = settle(closed, _ended(Answered(200), "dsc_earlier", EARLIER), NOW, 0.5)
    assert (after.state, after.delivered_at) == (DeliveryState.CLOSED, EARLIER)


@given(standings, st.datetimes(timezones=st.just(UTC)))
def test_the_first_2xx_dates_the_delivery_for_good(standing: Standing, at: datetime) -> None:
    after = settle(standing, _ended(Answered(204), "dsc_other", at), NOW, 0.5)
    assert after.delivered_at == (standing.delivered_at or at)


@given(standings, outcomes)
def test_unknown_about_an_attempt_that_is_over_tells_nothing(
    standing: Standing, outcome: Outcome
) -> None:
    told = adds_something(standing, _ended(outcome, "dsc_earlier"))
    assert told is not isinstance(outcome, Unknown)


@pytest.mark.parametrize("channel", [Channel.PICKUP, Channel.EMAIL])
def test_p8_a_pointer_that_arrives_too_late_puts_nothing_back_into_a_mailbox(
    channel: Channel,
) -> None:
    """In flight when its version was superseded, or its referral withdrawn as an error."""
    arrived = replace(_ended(Answered(200, None)), channel=channel)
    superseded, withdrawn = replace(OPEN, superseded_by=2), replace(OPEN, withdrawn=True)
    assert settle(superseded, arrived, NOW, 0.5).state is DeliveryState.SUPERSEDED
    assert settle(withdrawn, arrived, NOW, 0.5).state is DeliveryState.WITHDRAWN
    for state in (DeliveryState.SUPERSEDED, DeliveryState.WITHDRAWN, DeliveryState.REFUSED):
        over = replace(OPEN, state=state, open_disclosure_id=None)
        after = settle(over, arrived, NOW, 0.5)
        assert (after.state, after.delivered_at) == (state, NOW)


def test_p8_what_was_opened_meanwhile_is_held_and_stays_delivered() -> None:
    arrived = replace(_ended(Answered(200, None)), channel=Channel.PICKUP)
    opened = replace(OPEN, superseded_by=2, opened=True)
    assert settle(opened, arrived, NOW, 0.5).state is DeliveryState.DELIVERED
