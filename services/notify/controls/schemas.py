"""What the HTTP API of the controls takes and answers."""

from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict, model_validator

from shared.contracts.base import OpaqueId
from shared.runtime.errors import Wrong
from shared.runtime.two_people import Reason


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)


class HaltIn(_Body):
    """Pause one agency, or stop everything: exactly one of the two."""

    agency_id: OpaqueId | None = None
    everything: bool = False
    reason: Reason
    """For the record; nothing about a child."""

    @model_validator(mode="after")
    def _one_of_them(self) -> "HaltIn":
        if (self.agency_id is None) != self.everything:
            raise Wrong("names an agency, or says everything, and not both")
        return self


class LiftIn(_Body):
    reason: Reason


class HaltOut(_Answer):
    """While `lifted_at` is null, nothing it covers is sent. `agency_id` null: everybody."""

    halt_id: str
    cause: str
    agency_id: str | None
    reason: str
    set_by: str
    set_at: datetime
    lifted_by: str | None
    lifted_at: datetime | None
    lifted_why: str | None


class HaltsOut(_Answer):
    halts: list[HaltOut]


class HeldOut(_Answer):
    """A notice that a halt keeps back, and whom to call."""

    referral_id: str
    notice_id: str
    child_id: str
    role: str
    version: int
    kind: str
    synthetic: bool
    """A test: call nobody."""
    agency_id: str
    recipient: str
    contact: str | None
    due_at: datetime | None
    """The first of its clocks that a task tells of, else 12 hours after the report; the clocks of
    the referral say it exactly. Null: no clock runs for it."""
    not_to_be_told: str | None
    """Why the law does not permit telling it today, by telephone neither."""


class HeldsOut(_Answer):
    """`next`: ask with `after=` this for the rest; null when there is none."""

    notices: list[HeldOut]
    next: str | None


class LiftOut(_Answer):
    """`proposal_id`: it takes a second person, who approves this; until then nothing is sent."""

    halt: HaltOut | None
    proposal_id: str | None


class RedriveIn(_Body):
    """What was planned for an agency in a period is sent again, the newest version of each."""

    agency_id: OpaqueId
    planned_from: AwareDatetime
    planned_until: AwareDatetime
    delivered_too: bool = False
    """Those already delivered too: each is a disclosure again."""
    reason: Reason

    @model_validator(mode="after")
    def _a_period(self) -> "RedriveIn":
        if self.planned_until <= self.planned_from:
            raise Wrong("planned_until must be after planned_from")
        return self


class FoundOut(_Answer):
    """What a redrive would send: `waiting` are tried now, `delivered` are disclosed again."""

    waiting: int
    delivered: int
    left: int
    """Not to be sent: superseded, withdrawn, refused, or the law does not permit it today."""
    takes_two: bool


class RedriveOut(_Answer):
    redrive_id: str
    agency_id: str
    planned_from: datetime
    planned_until: datetime
    delivered_too: bool
    reason: str
    asked_by: str
    proposal_id: str | None
    asked_at: datetime
    finished_at: datetime | None
    cancelled_by: str | None
    listed: int
    accepted: int
    left: int
    open: int


class RedriveAnswer(_Answer):
    """Exactly one of: the job; the proposal that a second person must approve."""

    found: FoundOut
    redrive: RedriveOut | None
    proposal_id: str | None


class RedrivesOut(_Answer):
    redrives: list[RedriveOut]
