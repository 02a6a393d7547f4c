"""What the report routes answer."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from services.deadlines.compliance import Line
from services.deadlines.schemas import ClockOut


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class HistoryLine(_Answer):
    at: datetime
    text: str


class HistoryOut(_Answer):
    referral_id: str
    lines: list[HistoryLine]


class DueClock(ClockOut):
    referral_id: str
    overdue: bool


class DueOut(_Answer):
    until: datetime
    clocks: list[DueClock]
    more: bool
    """There are more than were listed: ask for fewer hours, a role or a desk; what was missed long
    ago is among the breaches."""


class BreachesOut(_Answer):
    since: datetime
    until: datetime
    breaches: list[DueClock]
    next: str | None
    """Ask again with `after` set to it; null at the end."""


class LineOut(_Answer):
    policy: str
    agency_id: str | None
    """Null: the policy as a whole."""
    clocks: int
    in_time: int
    late: int
    not_yet: int
    released: int
    late_p50_seconds: float | None
    late_p95_seconds: float | None


class ComplianceOut(_Answer):
    since: datetime
    until: datetime
    lines: list[LineOut]


def line_out(line: Line) -> LineOut:
    return LineOut(
        policy=line.policy,
        agency_id=line.agency_id,
        clocks=line.clocks,
        in_time=line.in_time,
        late=line.late,
        not_yet=line.not_yet,
        released=line.released,
        late_p50_seconds=line.late_p50,
        late_p95_seconds=line.late_p95,
    )
