"""What the HTTP API answers."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from services.deadlines.clocks import Clock
from services.deadlines.policy import Policy


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class ClockOut(_Answer):
    """One duty towards one child, and how it stands."""

    clock_id: str
    child_id: str
    duty: str
    role: str
    policy: str
    policy_version: str
    force: str
    """law or policy."""
    citation: str | None
    words: str
    """The policy in plain words."""
    basis_at: datetime
    due_at: datetime
    state: str
    """open, satisfied, breached, breached_then_corrected or satisfied_late."""
    lacking: str | None
    """Why it is not satisfied: plan, lawful_recipient or delivery; null when it is."""
    satisfied_at: datetime | None
    breached_at: datetime | None
    """The due time at which its breach was announced, whatever was amended since."""
    breach_discovered_at: datetime | None
    corrected_at: datetime | None
    """When it was announced that the breach was none after all."""


class ClocksOut(_Answer):
    referral_id: str
    clocks: list[ClockOut]


def clock_out(clock: Clock, policy: Policy) -> ClockOut:
    return ClockOut(
        clock_id=clock.clock_id,
        child_id=clock.child_id,
        duty=clock.duty,
        role=clock.role,
        policy=clock.policy,
        policy_version=clock.policy_version,
        force=policy.force,
        citation=policy.citation,
        words=policy.words,
        basis_at=clock.standing.basis_at,
        due_at=clock.standing.due_at,
        state=clock.state,
        lacking=clock.standing.lacking,
        satisfied_at=clock.standing.satisfied_at,
        breached_at=clock.breached_at,
        breach_discovered_at=clock.breach and clock.breach.discovered_at,
        corrected_at=clock.correction and clock.correction.discovered_at,
    )
