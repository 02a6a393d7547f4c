"""Policies: the duties that have a clock, as data. The texts are in policies/*.yaml."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.deadlines.facts import FactKind, Statement
from shared.contracts.codes import HtType, Role, Trigger
from shared.runtime.errors import Retryable

CONNECTICUT = "America/New_York"

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,62}$")]
Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Applies(_Part):
    """Which children of which referrals: all that match both lists."""

    triggers: frozenset[Trigger] = Field(
        min_length=1, description="a list of triggers: careline, ongoing_worker"
    )
    ht_types: frozenset[HtType] = Field(
        min_length=1, description="a list of types: sex, labor, sex_and_labor, other"
    )


class Length(_Part):
    """Elapsed time: it runs through nights, holidays and the change of the clocks."""

    hours: int = Field(
        ge=1, le=24 * 366, strict=True, description="a whole number of hours, like `hours: 12`"
    )


class EveryAgencyTold(_Part):
    """Every agency of one leg of the latest plan was told, by whichever version."""

    when: Literal["every_agency_told"] = Field(description="every_agency_told")
    role: Role = Field(description="the leg: " + ", ".join(Role))
    by: frozenset[Literal[FactKind.DELIVERED]] = Field(
        min_length=1, description="a list of facts that count as told: notice.delivered"
    )


class Policy(_Part):
    """One version of one policy. A version that has been used is never changed: add another."""

    policy: Name = Field(description="a name in lower case, like `le12`")
    version: str = Field(min_length=1, strict=True, description='a quoted text, like "2026-1"')
    duty: Name = Field(
        description="the duty that the clock watches, a name in lower case; policies of one duty "
        "take each other's place and never run side by side"
    )
    force: Literal["law", "policy"] = Field(
        description="`law` with a citation, or `policy` for a limit that we set ourselves"
    )
    citation: Sentence | None = Field(None, description="the section of law, like CGS 17a-101b(c)")
    source: Sentence = Field(description="where we have it from, like DOMAIN A3.2")
    confidence: Literal["high", "medium", "low", "ours"] = Field(
        description="how sure we are: high, medium, low, or ours where no text says so"
    )
    words: Sentence = Field(description="the policy in plain words, for the people it binds")
    effective_from: date | None = Field(
        None, description="the first day in Connecticut, like 2026-01-01, or nothing"
    )
    effective_to: date | None = Field(
        None, description="the last day in Connecticut, like 2026-12-31, or nothing"
    )
    applies: Applies = Field(description="`triggers` and `ht_types`, a list each")
    basis: Literal["referral.received"] = Field(description="what starts it: referral.received")
    length: Length = Field(description="elapsed hours, like `hours: 12`")
    satisfied: EveryAgencyTold = Field(description="`when`, `role` and `by`")

    @model_validator(mode="after")
    def _law_is_cited(self) -> Self:
        if self.force == "law" and self.citation is None:
            raise ValueError("`force: law` needs a `citation`; without one write `force: policy`")
        return self

    @model_validator(mode="after")
    def _days_in_order(self) -> Self:
        if self.effective_from and self.effective_to and self.effective_to < self.effective_from:
            raise ValueError("`effective_to` lies before `effective_from`: exchange them")
        return self

    @property
    def key(self) -> tuple[str, str]:
        return self.policy, self.version

    @property
    def role(self) -> Role:
        return self.satisfied.role

    @property
    def duration(self) -> timedelta:
        return timedelta(hours=self.length.hours)

    def applies_to(self, statement: Statement) -> bool:
        return (
            statement.trigger in self.applies.triggers
            and statement.ht_type in self.applies.ht_types
        )

    def in_force(self, moment: datetime) -> bool:
        """Whether it is in force on the day in Connecticut on which `moment` falls."""
        day = moment.astimezone(ZoneInfo(CONNECTICUT)).date()
        return (self.effective_from or date.min) <= day <= (self.effective_to or date.max)

    def collides_with(self, other: "Policy") -> bool:
        """Whether both could govern one clock on some day."""
        return (
            self.duty == other.duty
            and not self.applies.triggers.isdisjoint(other.applies.triggers)
            and not self.applies.ht_types.isdisjoint(other.applies.ht_types)
            and (self.effective_from or date.min) <= (other.effective_to or date.max)
            and (other.effective_from or date.min) <= (self.effective_to or date.max)
        )


class UnknownPolicy(Retryable):
    """A clock runs under a policy version that this process has not read: start it again."""


class PolicyBook:
    """The policies in force, and every version under which a clock may still run."""

    def __init__(self, current: Iterable[Policy], used: Iterable[Policy] = ()) -> None:
        self.current: Mapping[tuple[str, str], Policy] = {each.key: each for each in current}
        self._all = {each.key: each for each in used} | dict(self.current)
        self.duties = tuple(sorted({each.duty for each in self._all.values()}))

    def get(self, key: tuple[str, str]) -> Policy:
        """Raises UnknownPolicy."""
        try:
            return self._all[key]
        except KeyError:
            raise UnknownPolicy(" ".join(key)) from None

    def governing(
        self, duty: str, statement: Statement, running: tuple[str, str] | None
    ) -> Policy | None:
        """The policy of a duty for what is stated; None when none applies and none is running.

        A running clock keeps its policy version while that still applies to the child, so a
        changed policy rewrites no clock. When nothing applies any more it keeps it as well: a
        clock never stops silently.
        """
        kept = None if running is None else self.get(running)
        if kept is not None and kept.applies_to(statement):
            return kept
        fitting = (
            each
            for each in self.current.values()
            if each.duty == duty
            and each.applies_to(statement)
            and each.in_force(statement.received_at)
        )
        return next(fitting, kept)
