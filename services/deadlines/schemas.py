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
    matter: str
    """The consult or the recipient that it is about; empty: the child as such."""
    role: str | None
    answers: str
    """The desk that answers for it."""
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
    """open, satisfied, released, breached, breached_then_corrected or satisfied_late."""
    lacking: str | None
    """Why something is owed: plan, lawful_recipient, delivery, answer or consult_step; or null."""
    satisfied_at: datetime | None
    breached_at: datetime | None
    """The due time at which its breach was announced, whatever was amended since."""
    breach_discovered_at: datetime | None
    breach_reason: str | None
    """What was lacking then, or `late`."""
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
        matter=clock.matter,
        answers=policy.answers,
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
        breach_reason=clock.breach and clock.breach.reason,
        corrected_at=clock.correction and clock.correction.discovered_at,
    )
