"""What a soak calls flat: a slope that outliers do not move, and a stated rule."""

import pytest

from tests.load.flatness import Point, judge, slope


def series(per_second: float, *, start: float = 100.0, samples: int = 60) -> list[Point]:
    return [(10.0 * n, start + per_second * 10 * n) for n in range(samples)]


def test_the_slope_of_a_line_is_its_own() -> None:
    assert slope(series(0.25)) == pytest.approx(0.25)


def test_one_spike_does_not_move_the_slope() -> None:
    points = series(0.0)
    points[30] = (300.0, 5000.0)
    assert slope(points) == 0.0


def test_a_point_or_none_has_no_slope() -> None:
    assert slope([]) == 0.0
    assert slope([(1.0, 7.0)]) == 0.0


def test_a_very_long_series_is_thinned_and_keeps_its_slope() -> None:
    assert slope(series(0.5, samples=5000)) == pytest.approx(0.5)


def test_what_grows_while_it_warms_up_is_not_held_against_it() -> None:
    warming = [(10.0 * n, 5.0 * n) for n in range(20)]
    settled = [(200.0 + 10 * n, 100.0) for n in range(40)]
    assert judge(warming + settled, warm_up=200, floor=1.0).flat
    assert not judge(warming + settled, warm_up=0, floor=1.0).flat


def test_a_steady_leak_is_not_flat() -> None:
    judged = judge(series(0.01), warm_up=200, floor=1.0)
    assert judged.per_hour == pytest.approx(36)
    assert not judged.flat


def test_less_than_the_floor_over_all_that_was_watched_is_noise() -> None:
    assert judge(series(0.002), warm_up=200, floor=1.0).flat


def test_a_long_slow_rise_is_judged_by_its_share_per_hour() -> None:
    hours = [(600.0 * n, 100.0 + 0.5 * n) for n in range(60)]
    assert judge(hours, warm_up=600, floor=1.0).flat
    assert not judge([(at, 3 * (value - 90)) for at, value in hours], warm_up=600, floor=1.0).flat


def test_what_falls_is_flat() -> None:
    assert judge(series(-1.0, start=1000), warm_up=200, floor=1.0).flat


def test_two_samples_show_nothing() -> None:
    with pytest.raises(ValueError, match="fewer than three"):
        judge(series(0.0, samples=2), warm_up=0, floor=1.0)
