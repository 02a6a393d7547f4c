"""What the HTTP API of the roster takes and answers."""

from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict, model_validator

from services.notify.oncall.roster_file import Id, RosterFile
from shared.runtime.errors import Wrong
from shared.runtime.two_people import Reason


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class RosterIn(_Body):
    reason: Reason
    roster: RosterFile


class OverrideIn(_Body):
    """`person` comes in for a time; with `instead_of` in that person's place."""

    role: Id
    person: Id
    instead_of: Id | None = None
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    reason: Reason

    @model_validator(mode="after")
    def _a_period(self) -> "OverrideIn":
        if self.ends_at <= self.starts_at:
            raise Wrong("ends_at must be after starts_at")
        return self


class OnCallOut(BaseModel):
    """Who is paged for each role at that moment, in this order."""

    at: datetime
    version: int
    roles: dict[str, list[str]]
    fallback: list[str]


class ChangeOut(BaseModel):
    """`proposal_id`: it redirects alarms, so another person approves it; null: it is in force."""

    proposal_id: str | None
    difference: list[str]
