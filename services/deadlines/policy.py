"""Policies: the duties that have a clock, as data. The texts are in policies/*.yaml."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from services.deadlines.calendars import ONE_DAY, Name, Sentence, local_day
from services.deadlines.facts import Statement
from services.deadlines.policy_parts import (
    DESKS,
    PER_CONSULT,
    Applies,
    Basis,
    Length,
    Part,
    Satisfied,
    Warned,
    When,
)
from services.deadlines.yaml_models import misfit
from shared.contracts.codes import Desk, Role


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


class Policy(Part):
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
    basis: Annotated[tuple[Basis, ...], BeforeValidator(_listed)] = Field(
        min_length=1,
        description="what starts it: " + ", ".join(Basis) + "; of several the earliest",
    )
    length: Length = Field(description="elapsed hours, like `hours: 12`, or days of a calendar")
    satisfied: Satisfied = Field(description="`when`, `role` and `by`")
    answers: Desk = Field(Desk.CARELINE, description=f"who answers for it, one of the {DESKS}")
    warned: Warned | None = Field(None, description="`who` and `before_minutes`, or nothing")
    told_of_breach: tuple[Desk, ...] = Field((), description=f"a list of {DESKS}")
    rewrites: tuple[str, ...] = Field(
        (),
        description="a list of versions of this policy whose running clocks go over to it, or "
        "nothing: then they end as they began",
    )

    @model_validator(mode="after")
    def _law_is_cited(self) -> Self:
        if self.force == "law" and self.citation is None:
            raise misfit(
                "force", "`force: law` needs a `citation`; without one write `force: policy`"
            )
        return self

    @model_validator(mode="after")
    def _days_in_order(self) -> Self:
        if self.effective_from and self.effective_to and self.effective_to < self.effective_from:
            raise misfit(
                "effective_to", "`effective_to` lies before `effective_from`: exchange them"
            )
        return self

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        consult = any(each in PER_CONSULT for each in self.basis)
        if consult != (self.satisfied.when is When.CONSULT_STEP_TAKEN):
            raise misfit(
                "satisfied.when", "a `basis` of a consult goes with `when: consult_step_taken`"
            )
        told = Basis.TOLD in self.basis
        if told != (self.satisfied.when is When.RECIPIENT_ANSWERED):
            raise misfit(
                "satisfied.when", "`basis: notice.told` goes with `when: recipient_answered`"
            )
        if (consult or told) and len(self.basis) > 1:
            raise misfit("basis", "a `basis` of a consult or of a notice stands alone")
        role = self.satisfied.role
        if role is None and (self.applies.only_if_planned or Basis.LEG_KNOWN in self.basis):
            raise misfit("satisfied.when", "`only_if_planned` and `basis: leg.known` need a `role`")
        if Basis.LEG_KNOWN in self.basis and not self.applies.only_if_planned:
            raise misfit(
                "applies.only_if_planned", "`basis: leg.known` needs `only_if_planned: true`"
            )
        if self.version in self.rewrites:
            raise misfit("rewrites", "`rewrites` names this version itself: name earlier ones")
        hours = self.length.hours
        if self.warned and hours and max(self.warned.before_minutes) >= hours * 60:
            raise misfit(
                "warned.before_minutes", "a warning lies before the clock's beginning: shorten it"
            )
        return self

    @property
    def key(self) -> tuple[str, str]:
        return self.policy, self.version

    @property
    def role(self) -> Role | None:
        return self.satisfied.role

    @property
    def warnings(self) -> tuple[int, ...]:
        """Minutes before the due time at which somebody is warned."""
        return self.warned.before_minutes if self.warned else ()

    def applies_to(self, statement: Statement) -> bool:
        return (
            statement.trigger in self.applies.triggers
            and statement.ht_type in self.applies.ht_types
        )

    @property
    def begins(self) -> date:
        return self.effective_from or date.min

    @property
    def ends(self) -> date:
        return self.effective_to or date.max

    def began_by(self, moment: datetime) -> bool:
        """Whether its first day in Connecticut had come."""
        return self.effective_from is None or self.effective_from <= local_day(moment)

    def in_force(self, moment: datetime) -> bool:
        """Whether it is in force on the day in Connecticut on which `moment` falls."""
        if self.effective_from is None and self.effective_to is None:
            return True
        return self.begins <= local_day(moment) <= self.ends

    def collides_with(self, other: "Policy") -> bool:
        """Whether both could govern one clock on some day."""
        return (
            self.duty == other.duty
            and not self.applies.triggers.isdisjoint(other.applies.triggers)
            and not self.applies.ht_types.isdisjoint(other.applies.ht_types)
            and self.begins <= other.ends
            and other.begins <= self.ends
        )


def first_gap(versions: Iterable[Policy]) -> date | None:
    """The first day between versions of one policy on which none of them is in force."""
    covered: date | None = None
    for each in sorted(versions, key=lambda each: each.begins):
        if covered is not None and covered < each.begins and covered + ONE_DAY < each.begins:
            return covered + ONE_DAY
        covered = each.ends if covered is None else max(covered, each.ends)
    return None
