"""Topic `deadlines`, emitted by deadlines; subject: the referral."""

from typing import ClassVar

from shared.contracts.base import Instant, OpaqueId, ReferralData, Topic
from shared.contracts.codes import Role


class _Clock(ReferralData):
    topic: ClassVar[Topic] = Topic.DEADLINES

    clock_id: OpaqueId
    policy: str
    policy_version: str
    child_id: OpaqueId
    role: Role
    due_at: Instant


class ClockBreached(_Clock):
    """A clock ran out unsatisfied. Emitted once; it happened at `due_at`, however late found."""

    type: ClassVar[str] = "hartline.deadline.breached.v1"

    discovered_at: Instant


class BreachCorrected(_Clock):
    """A fact dated at or before `due_at` came to light after the breach. Emitted once."""

    type: ClassVar[str] = "hartline.deadline.breach_corrected.v1"

    satisfied_at: Instant
    discovered_at: Instant
