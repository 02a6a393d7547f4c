"""Calendars: which days count, as data. The texts are in holidays/*.yaml.

Days are days in Connecticut. A period of days ends with its last day: the day on which it began is
not counted, and it is over at the midnight that ends the last one that is. Where the clocks are
put forward or back, that day is an hour shorter or longer, and still a day (C31).
"""

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.deadlines.yaml_models import misfit

CONNECTICUT = "America/New_York"

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,62}$")]
Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
ONE_DAY = timedelta(days=1)


class Weekday(StrEnum):
    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


_WEEK = tuple(Weekday)


class Calendar(BaseModel):
    """Which days count. A policy carries its own copy: a changed calendar is a new policy."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    calendar: Name = Field(description="a name in lower case, like `connecticut_state`")
    source: Sentence = Field(description="where we have it from, like CGS 1-4")
    weekdays: tuple[Weekday, ...] = Field(
        min_length=1, description="a list of the days that count: monday … sunday"
    )
    covers_from: date | None = Field(
        None, description="the first day of which its holidays are known, like 2026-01-01"
    )
    covers_to: date | None = Field(
        None, description="the last day of which its holidays are known, like 2027-12-31"
    )
    holidays: Mapping[date, Sentence] = Field(
        {}, description="days that do not count, like `2026-07-03: Independence Day`"
    )

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if len(set(self.weekdays)) < len(self.weekdays):
            raise misfit("weekdays", "a weekday is listed twice: keep one")
        if not self.holidays:
            return self
        if self.covers_from is None or self.covers_to is None:
            raise misfit(
                "holidays", "`holidays` need `covers_from` and `covers_to`: say for which years"
            )
        if self.covers_to < self.covers_from:
            raise misfit("covers_to", "`covers_to` lies before `covers_from`: exchange them")
        outside = [d for d in self.holidays if not self.covers_from <= d <= self.covers_to]
        if outside:
            raise misfit("holidays", f"the holiday {min(outside)} lies outside of what it covers")
        return self

    def counts(self, day: date) -> bool:
        """Beyond what it covers every such weekday counts, which makes clocks run out earlier."""
        return _WEEK[day.weekday()] in self.weekdays and day not in self.holidays

    def end_after(self, first: date, days: int) -> datetime:
        """When the last of `days` days that count has ended; `first` itself is not counted."""
        day = first
        while days:
            day += ONE_DAY
            days -= self.counts(day)
        return midnight(day + ONE_DAY)


def calendar_left(calendars: Iterable[Calendar], now: datetime) -> float:
    """Seconds until the first calendar knows no more holidays; infinite when none has any."""
    ends = (each.covers_to for each in calendars if each.covers_to is not None)
    return min(((midnight(end + ONE_DAY) - now).total_seconds() for end in ends), default=math.inf)


def midnight(day: date) -> datetime:
    """When that day begins in Connecticut."""
    return datetime.combine(day, time(), ZoneInfo(CONNECTICUT)).astimezone(UTC)


def local_day(moment: datetime) -> date:
    return moment.astimezone(ZoneInfo(CONNECTICUT)).date()


def last_of_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1) - ONE_DAY
