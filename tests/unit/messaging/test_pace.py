"""How long a consumer rests between two batches that nobody waits for."""

import pytest

from shared.messaging.consumer import pause


@pytest.mark.parametrize("per_second", [1, 50, 350, 400])
def test_what_comes_at_a_moderate_rate_waits_no_longer_than_the_pace(per_second: int) -> None:
    """350 events a second are 50 referrals; a batch takes some time beside its pause."""
    seconds = 0.25
    for _ in range(100):
        seconds = pause(max(1, round(per_second * (seconds + 0.05))), 0.25, 1.0)
    assert seconds == 0.25


def test_a_backlog_makes_pauses_longer_up_to_the_longest_and_its_end_short_again() -> None:
    seconds, seen = 0.25, []
    for per_second in [700] * 20 + [100] * 20:
        seconds = pause(round(per_second * (seconds + 0.05)), 0.25, 1.0)
        seen.append(seconds)
    assert seen[:20] == sorted(seen[:20])
    assert (seen[0] < 0.5, seen[19], seen[39]) == (True, 1.0, 0.25)


def test_a_pace_without_a_longest_stays_what_it_is_and_none_is_none() -> None:
    assert pause(499, 0.2, 0.2) == 0.2
    assert pause(499, 0.0, 0.0) == 0.0


def test_nothing_is_waited_for_after_nothing() -> None:
    """The fetch has waited already."""
    assert pause(0, 0.25, 1.0) == 0.0
