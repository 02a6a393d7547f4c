"""What the HTTP API of the roster takes and answers."""

from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict, model_validator

from services.notify.oncall.override_store import MadeOverride
from services.notify.oncall.roster_file import Id, RosterFile
from shared.runtime.errors import Wrong
from shared.runtime.two_people import Reason


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class RosterIn(_Body):
    reason: Reason
    roster: RosterFile


class OverrideIn(_Body):
    """`person` comes in for a time; with `instead_of` in that person's place. Without `starts_at`
    from now on."""

    role: Id
    person: Id
    instead_of: Id | None = None
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime
    reason: Reason

    @model_validator(mode="after")
    def _a_period(self) -> "OverrideIn":
        if self.starts_at is not None and self.ends_at <= self.starts_at:
            raise Wrong("ends_at must be after starts_at")
        return self


class OnCallOut(BaseModel):
    """Who is paged for each role at that moment, in this order."""

    at: datetime
    version: int
    roles: dict[str, list[str]]
    fallback: list[str]


class OverrideOut(BaseModel):
    """`ended_at`, `ended_by`: somebody ended it before its time."""

    override_id: str
    role: str
    person: str
    instead_of: str | None
    starts_at: datetime
    ends_at: datetime
    in_force: bool
    """Now."""
    made_by: str
    ended_at: datetime | None
    ended_by: str | None

    @classmethod
    def of(cls, made: MadeOverride, now: datetime) -> "OverrideOut":
        return cls(
            override_id=made.override_id,
            role=made.override.role,
            person=made.override.person,
            instead_of=made.override.instead_of,
            starts_at=made.override.starts_at,
            ends_at=made.override.ends_at,
            in_force=made.in_force(now),
            made_by=made.made_by,
            ended_at=made.ended_at,
            ended_by=made.ended_by,
        )


class OverridesOut(BaseModel):
    """The last made first."""

    overrides: list[OverrideOut]


class ChangeOut(BaseModel):
    """`proposal_id`: it redirects alarms, so another person approves it; null: it is done, and
    `override` says what stands now."""

    proposal_id: str | None
    difference: list[str]
    override: OverrideOut | None = None
