"""What a policy is made of: what starts it, how long it runs, what meets it, who hears of it."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.deadlines.calendars import Calendar, last_of_month, local_day
from services.deadlines.facts import FactKind
from services.deadlines.yaml_models import misfit
from shared.contracts.codes import Desk, HtType, Role, Stage, Trigger


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Basis(StrEnum):
    """What starts a clock."""

    RECEIVED = "referral.received"
    ACCEPTED = "referral.accepted"
    """The acceptance that holds: reversed in time it ends the duty; accepted again it is new."""
    LEG_KNOWN = "leg.known"
    """Receipt, if the first version called for the recipient; else when the version that first did
    was recorded: only then was it discovered."""
    IDENTIFIED = "victim.identified"
    TOLD = "notice.told"
    """Per recipient: when it was first told."""
    CONSULT_REQUESTED = "consult.requested"
    """Per consult, like the next one: the first request of it."""
    CONSULT_COMPLETED = "consult.completed"


_HOUR = timedelta(hours=1)

PER_CONSULT = {
    Basis.CONSULT_REQUESTED: FactKind.CONSULT_REQUESTED,
    Basis.CONSULT_COMPLETED: FactKind.CONSULT_COMPLETED,
}


DESKS = "desks: " + ", ".join(Desk)


class Applies(Part):
    """Which children of which referrals: all that match both lists."""

    triggers: frozenset[Trigger] = Field(
        min_length=1, description="a list of triggers: careline, ongoing_worker"
    )
    ht_types: frozenset[HtType] = Field(
        min_length=1, description="a list of types: sex, labor, sex_and_labor, other"
    )
    only_if_planned: bool = Field(
        False,
        strict=True,
        description="true where the clock exists only once a plan has a leg of the role: the "
        "route's own conditions say for whom",
    )


class Length(Part):
    """One of the three. Hours are elapsed time: they run through nights, holidays and the change
    of the clocks. Days are those of a declared calendar (see `calendars.py`)."""

    hours: int | None = Field(
        None,
        ge=1,
        le=24 * 366,
        strict=True,
        description="a whole number of hours, like `hours: 12`",
    )
    days: int | None = Field(
        None, ge=1, le=366, strict=True, description="a whole number of days, like `days: 5`"
    )
    days_after_month_end: int | None = Field(
        None,
        ge=1,
        le=31,
        strict=True,
        description="days of grace after the month in which it began, like "
        "`days_after_month_end: 5`",
    )
    calendar: Calendar | None = Field(
        None, description="the name of a calendar that says which days count, like every_day"
    )

    @model_validator(mode="after")
    def _is_one_length(self) -> Self:
        given = [self.hours, self.days, self.days_after_month_end]
        if sum(each is not None for each in given) != 1:
            raise misfit("hours", "give one of `hours`, `days` and `days_after_month_end`")
        if (self.hours is None) != (self.calendar is not None):
            raise misfit(
                "calendar",
                "`days` and `days_after_month_end` need a `calendar`; `hours` are elapsed time "
                "and have none",
            )
        return self

    def end(self, basis: datetime) -> datetime:
        """When a clock that began at `basis` runs out."""
        if self.hours is not None:
            return basis + self.hours * _HOUR
        assert self.calendar is not None
        day = local_day(basis)
        if self.days is not None:
            return self.calendar.end_after(day, self.days)
        return self.calendar.end_after(last_of_month(day), self.days_after_month_end or 0)

    def __str__(self) -> str:
        if self.hours is not None:
            return f"{self.hours} h"
        assert self.calendar is not None
        days = self.days or self.days_after_month_end
        since = "" if self.days else " after the month's end"
        return f"{days} days{since} ({self.calendar.calendar})"


class When(StrEnum):
    """How a duty is met."""

    EVERY_AGENCY_TOLD = "every_agency_told"
    """Every agency of one leg of the latest plan was told, by whichever version."""
    RECIPIENT_ANSWERED = "recipient_answered"
    """The recipient that was told has said so."""
    CONSULT_STEP_TAKEN = "consult_step_taken"


_TOLD = frozenset(
    {FactKind.DELIVERED, FactKind.PICKED_UP, FactKind.ACKNOWLEDGED, FactKind.TOLD_ORALLY}
)
_BY = {
    When.EVERY_AGENCY_TOLD: _TOLD,
    When.RECIPIENT_ANSWERED: frozenset({FactKind.ACKNOWLEDGED, FactKind.TOLD_ORALLY}),
    When.CONSULT_STEP_TAKEN: frozenset({FactKind.CONSULT_COMPLETED, FactKind.CONSULT_ENTERED}),
}
Counts = Literal[
    FactKind.DELIVERED,
    FactKind.PICKED_UP,
    FactKind.ACKNOWLEDGED,
    FactKind.TOLD_ORALLY,
    FactKind.CONSULT_COMPLETED,
    FactKind.CONSULT_ENTERED,
]


class Satisfied(Part):
    """What meets the duty."""

    when: When = Field(description=", ".join(When))
    role: Role | None = Field(None, description="the leg: " + ", ".join(Role))
    stage: Stage = Field(Stage.RECEIVED, description="the plan: " + ", ".join(Stage))
    by: frozenset[Counts] = Field(
        min_length=1,
        description="a list of facts that count as told: notice.delivered, notice.picked_up, "
        "notice.acknowledged, notice.told_orally; of a consult: consult.completed, "
        "consult.entered",
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.role is None) == (self.when is When.EVERY_AGENCY_TOLD):
            raise misfit("role", "`role` belongs to `when: every_agency_told`, and to no other")
        if strange := self.by - _BY[self.when]:
            allowed = ", ".join(sorted(_BY[self.when]))
            raise misfit("by", f"{min(strange)} cannot meet `{self.when}`: write of {allowed}")
        return self


class Warned(Part):
    """Who hears that a clock is about to run out, and how long before."""

    who: tuple[Desk, ...] = Field(min_length=1, description=f"a list of {DESKS}")
    before_minutes: tuple[Annotated[int, Field(ge=1, le=60 * 24 * 31, strict=True)], ...] = Field(
        min_length=1, description="a list of minutes before the due time, like [120, 30]"
    )
