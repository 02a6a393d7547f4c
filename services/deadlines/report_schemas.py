"""What the report routes answer."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from services.deadlines.compliance import Line
from services.deadlines.schemas import ClockOut
from services.deadlines.what_if import Difference


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
    """There are more than were listed: ask for fewer hours, a role or a desk."""


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


class PolicyText(BaseModel):
    """A policy as its file would have it."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=20_000)


class WhatIfOut(_Answer):
    clocks: int
    missed: int
    clocks_now: int
    missed_now: int
    newly_missed: int
    no_longer_missed: int


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


def what_if_out(found: Difference) -> WhatIfOut:
    return WhatIfOut(
        clocks=found.clocks,
        missed=found.missed,
        clocks_now=found.clocks_now,
        missed_now=found.missed_now,
        newly_missed=found.newly_missed,
        no_longer_missed=found.no_longer_missed,
    )
