"""Whether something grows: a slope that outliers do not move, and the rule that judges it. Pure."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

SHARE_PER_HOUR = 0.05
RULE = (
    "flat: over what was watched after warm-up it rises by less than its floor, or by less than "
    f"{SHARE_PER_HOUR:.0%} of its median per hour (slope: Theil-Sen)"
)
_MOST_POINTS = 400

Point = tuple[float, float]
"""Seconds since the start, and the value then."""


def slope(points: Sequence[Point]) -> float:
    """Per second: the median of the slopes between any two points (Theil-Sen). 0 for fewer than
    two. Of very long series every n-th point is looked at."""
    seen = points[:: 1 + len(points) // _MOST_POINTS]
    slopes = [
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for earlier, later in combinations(seen, 2)
        if later[0] != earlier[0]
    ]
    return statistics.median(slopes) if slopes else 0.0


@dataclass(frozen=True, slots=True)
class Judged:
    """A series after its warm-up, in its own unit."""

    first: float
    last: float
    most: float
    per_hour: float
    flat: bool


def judge(points: Sequence[Point], *, warm_up: float, floor: float) -> Judged:
    """By RULE. `floor`: how much more is noise, over whatever was watched. A fall is flat.

    Raises ValueError when fewer than three points lie after the warm-up: that shows nothing.
    """
    watched = [point for point in points if point[0] >= warm_up]
    if len(watched) < 3:
        raise ValueError("fewer than three samples after the warm-up")
    values = [value for _, value in watched]
    per_second = slope(watched)
    rise = per_second * (watched[-1][0] - watched[0][0])
    allowed = SHARE_PER_HOUR * statistics.median(values)
    return Judged(
        first=values[0],
        last=values[-1],
        most=max(values),
        per_hour=round(per_second * 3600, 2),
        flat=rise < floor or per_second * 3600 < allowed,
    )
