"""How duties were met: per policy and agency, how many in time, and how late the others. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.deadlines.clocks import Clock
from services.deadlines.policy import Policy
from services.deadlines.sla import ClockState, told_in_role
from services.deadlines.story import Story


class Met(StrEnum):
    """How a duty ended, by its facts and by what was announced of it."""

    IN_TIME = "in_time"
    LATE = "late"
    NOT_YET = "not_yet"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Result:
    """One clock, or one agency's part of it. `late_by` in seconds, of what was met late."""

    policy: str
    agency_id: str | None
    met: Met
    late_by: float = 0.0


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the report. Percentiles, in seconds, are of those that were late."""

    policy: str
    agency_id: str | None
    clocks: int
    in_time: int
    late: int
    not_yet: int
    released: int
    late_p50: float | None
    late_p95: float | None


def results(clock: Clock, policy: Policy, story: Story) -> Iterator[Result]:
    """The clock itself, and each agency that it is about."""
    yield _of_clock(clock)
    if clock.matter.startswith("agy_"):
        yield Result(clock.policy, clock.matter, *_how(clock, clock.standing.satisfied_at))
        return
    for agency_id, told_at in told_in_role(policy, clock.child_id, story).items():
        yield Result(clock.policy, agency_id, *_how(clock, told_at))


def report(found: Iterable[Result]) -> list[Line]:
    """By policy, first all of it and then each agency."""
    grouped: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for each in found:
        grouped[each.policy, each.agency_id or ""].append(each)
    return [_line(grouped[key]) for key in sorted(grouped)]


def percentile(values: Sequence[float], percent: int) -> float | None:
    """By nearest rank; None of nothing."""
    if not values:
        return None
    return sorted(values)[max(0, -(-len(values) * percent // 100) - 1)]


def _of_clock(clock: Clock) -> Result:
    """A correction says that it was met in time; a breach that was released stays one."""
    if clock.state is ClockState.RELEASED:
        return Result(clock.policy, None, Met.RELEASED)
    met_at = None if clock.standing.released else clock.standing.satisfied_at
    return Result(clock.policy, None, *_late(clock, met_at))


def _how(clock: Clock, met_at: datetime | None) -> tuple[Met, float]:
    if met_at is None and clock.standing.released:
        return (Met.RELEASED if clock.state is ClockState.RELEASED else Met.NOT_YET), 0.0
    return _late(clock, met_at)


def _late(clock: Clock, met_at: datetime | None) -> tuple[Met, float]:
    due_at = clock.standing.due_at
    if clock.breach is not None:
        due_at = min(due_at, clock.breach.due_at)
    if met_at is None:
        return Met.NOT_YET, 0.0
    seconds = (met_at - due_at).total_seconds()
    return (Met.LATE, seconds) if seconds > 0 else (Met.IN_TIME, 0.0)


def _line(found: Sequence[Result]) -> Line:
    late = [each.late_by for each in found if each.met is Met.LATE]

    def count(met: Met) -> int:
        return sum(each.met is met for each in found)

    return Line(
        found[0].policy,
        found[0].agency_id,
        len(found),
        count(Met.IN_TIME),
        len(late),
        count(Met.NOT_YET),
        count(Met.RELEASED),
        percentile(late, 50),
        percentile(late, 95),
    )
