"""What the HTTP API answers."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from shared.contracts.base import OpaqueId


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)


class NoticeOut(_Answer):
    """One leg of a referral: who had to be told, why, and how far it has come."""

    notice_id: str
    child_id: str
    role: str
    recipient: str | None
    """The agency's name; null when nobody on file fits the role."""
    because: str
    version: int
    kind: str
    state: str
    """pending, blocked, attempting, delivered, superseded, refused or closed."""
    reason: str | None
    """Why it was refused when planned."""
    attempts: int
    planned_at: datetime
    delivered_at: datetime | None
    next_attempt_at: datetime | None
    """The next attempt comes then, or as soon as the agency takes another. Null: none is due
    (delivered, over, in flight, behind an earlier version, paused); and to an agency, always."""
    held_by: list[str]
    """The pauses and stops that keep it back (`GET /v1/halts`); to an agency, never any (P10)."""
    last_answer: str | None
    """The status that its agency's server last gave (`404`), what kept it from being sent
    (`unreachable`), or `unknown`; the runbook's page "deliveries" says what each means. Null: not
    tried yet; and to an agency, always (P10)."""


class NoticesOut(_Answer):
    referral_id: str
    notices: list[NoticeOut]


class TaskOut(_Answer):
    """What a named person must look at."""

    task_id: str
    kind: str
    referral_id: str | None
    """Null: it is about no referral."""
    detail: str
    created_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    desk: str | None
    """Whose it is; null: that of the kind's role in the roster."""
    acknowledged_for: str | None
    """The desk, where whoever has acknowledged it does not stand for it by the roster."""


class TasksOut(_Answer):
    """`next`: ask with `after=` this for the rest; null when there is none."""

    tasks: list[TaskOut]
    next: str | None


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class AssertedGround(StrEnum):
    """Why an agency must learn nothing. Codes alone: a story would be personal data."""

    OFFICER_IMPLICATED = "officer_implicated"
    RELATIVE_IMPLICATED = "relative_implicated"
    EMPLOYEE_IMPLICATED = "employee_implicated"
    RECUSAL = "recusal"
    OTHER = "other"


class ConflictIn(_Body):
    """`child_id` left out: in every child's matter."""

    agency_id: OpaqueId
    child_id: OpaqueId | None = None
    ground: AssertedGround


class ConflictOut(_Answer):
    """A conflict and whom it holds. It holds until `lifted_at`."""

    assertion_id: str
    referral_id: str
    child_id: str | None
    agency_ids: list[str]
    ground: str
    asserted_by: str
    asserted_at: datetime
    lift_asked_by: str | None
    lift_asked_at: datetime | None
    lifted_by: str | None
    lifted_at: datetime | None


class ConflictsOut(_Answer):
    referral_id: str
    conflicts: list[ConflictOut]
