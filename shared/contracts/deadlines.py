"""Topic `deadlines`, emitted by deadlines; subject: the referral."""

from typing import ClassVar

from pydantic import Field

from shared.contracts.base import Instant, OpaqueId, ReferralData, Topic
from shared.contracts.codes import Role


class _Clock(ReferralData):
    topic: ClassVar[Topic] = Topic.DEADLINES

    clock_id: OpaqueId
    policy: str
    policy_version: str
    child_id: OpaqueId
    role: Role | None = Field(None, description="Null for a duty that is no recipient's leg.")
    due_at: Instant
    duty: str | None = Field(None, description="What must have been done, by name.")
    tell: tuple[str, ...] = Field((), description="The desks that must hear of it, by policy.")
    matter: OpaqueId | None = Field(
        None,
        description="The recipient or the consult that it is about; null: the child as such.",
    )


_TURN = Field(
    1,
    ge=1,
    description="Which breach of its clock: another one comes only after a correction that later "
    "facts took back.",
)


class ClockBreached(_Clock):
    """A clock ran out unsatisfied. Emitted once, and once more only after a correction that did not
    hold; it happened at `due_at`, however late found."""

    type: ClassVar[str] = "hartline.deadline.breached.v1"

    discovered_at: Instant
    turn: int = _TURN


class BreachCorrected(_Clock):
    """A fact dated at or before `due_at` came to light after the breach. Emitted once for it."""

    type: ClassVar[str] = "hartline.deadline.breach_corrected.v1"

    satisfied_at: Instant
    discovered_at: Instant
    turn: int = _TURN


class ClockApproaching(_Clock):
    """A clock has not run out yet and its duty is not met. Emitted once per clock and warning."""

    type: ClassVar[str] = "hartline.deadline.approaching.v1"

    before_minutes: int = Field(ge=1, description="Which warning: so long before the due time.")
    noticed_at: Instant
