"""How much of an agency with a limit may leave, and who of those that wait."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.delivery.pacing import WINDOW, Limit, Pace, after, choose, room

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Due:
    name: str
    retry: bool


def due(*names: str) -> list[Due]:
    """`f1` is a first try, `r1` a retry."""
    return [Due(name, name.startswith("r")) for name in names]


def chosen(waiting: list[Due], places: int, turn: int = 0) -> list[str]:
    return [each.name for each in choose(waiting, places, turn)]


@pytest.mark.parametrize(
    ("limit", "left", "open_attempts", "free"),
    [
        (Limit(None, None), 50, 50, None),
        (Limit(4, None), 50, 3, 1),
        (Limit(4, None), 0, 9, 0),
        (Limit(None, 10), 8, 50, 2),
        (Limit(None, 10), 12, 0, 0),
        (Limit(4, 10), 8, 3, 1),
        (Limit(40, 10), 8, 3, 2),
    ],
)
def test_the_narrower_limit_counts(
    limit: Limit, left: int, open_attempts: int, free: int | None
) -> None:
    pace = Pace((NOW - timedelta(seconds=5),) * left)
    assert room(limit, pace, open_attempts, NOW) == free


@given(
    per_minute=st.integers(1, 5),
    steps=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9)), max_size=40),
)
def test_no_minute_sees_more_than_the_rate_however_claims_fall(
    per_minute: int, steps: list[tuple[int, int]]
) -> None:
    limit, pace, now, left = Limit(None, per_minute), Pace(), NOW, list[datetime]()
    for seconds, waiting in steps:
        now += timedelta(seconds=seconds)
        leaving = min(waiting, room(limit, pace, 0, now) or 0)
        pace = after(limit, pace, leaving, now)
        left += [now] * leaving
    for start in left:
        assert sum(start <= each < start + WINDOW for each in left) <= per_minute


def test_a_clock_that_is_far_ahead_stops_nobody() -> None:
    a_year_ahead = Pace((NOW + timedelta(days=365),))
    assert room(Limit(None, 1), a_year_ahead, 0, NOW) == 1
    a_little = Pace((NOW + timedelta(seconds=2),))
    assert room(Limit(None, 1), a_little, 0, NOW) == 0


def test_first_tries_do_not_wait_behind_retries_nor_retries_for_ever() -> None:
    waiting = due("r1", "r2", "r3", "r4", "f1", "f2", "f3")
    assert chosen(waiting, 6) == ["f1", "f2", "r1", "f3", "r2", "r3"]


def test_one_place_at_a_time_is_shared_the_same_way() -> None:
    waiting, pace, order = due("r1", "r2", "f1", "f2", "f3"), Pace(), list[str]()
    while waiting:
        (one,) = choose(waiting, 1, pace.turn)
        pace = after(Limit(1, None), pace, 1, NOW)
        order.append(one.name)
        waiting.remove(one)
    assert order == ["f1", "f2", "r1", "f3", "r2"]


@given(st.lists(st.booleans(), max_size=30), st.integers(0, 30), st.integers(0, 2))
def test_p8_each_lane_leaves_in_the_order_in_which_it_waits(
    retries: list[bool], places: int, turn: int
) -> None:
    waiting = [Due(f"{place}", retry) for place, retry in enumerate(retries)]
    found = choose(waiting, places, turn)
    assert len(found) == min(places, len(waiting)), "no place is left empty"
    for retry in (False, True):
        lane = [each for each in waiting if each.retry is retry]
        assert [each for each in found if each.retry is retry] == lane[
            : sum(each.retry is retry for each in found)
        ]
