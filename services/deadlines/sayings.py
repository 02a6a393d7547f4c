"""What is said of clocks: the events of breaches, corrections and warnings. Pure."""

from datetime import datetime
from typing import Any

from services.deadlines.clocks import Announced, Clock
from services.deadlines.policy import Policy
from shared.contracts.deadlines import BreachCorrected, ClockApproaching, ClockBreached

BREACHED = "breached"
CORRECTED = "breach_corrected"
_APPROACHING = "approaching "


def in_turn(kind: str, announced: Announced) -> str:
    """The kind of the announcement of a breach or a correction: `breached`, `breached 2` …"""
    return kind if announced.turn == 1 else f"{kind} {announced.turn}"


def turn_of(kind: str) -> int:
    """Which breach an announcement of this kind is about."""
    _, _, turn = kind.partition(" ")
    return int(turn or 1)


def is_of(kind: str, of: str) -> bool:
    """Whether it is a breach, or a correction, whichever of its clock."""
    return kind.partition(" ")[0] == of


def approaching(minutes: int) -> str:
    """The kind of an announcement that warns so long before the due time."""
    return f"{_APPROACHING}{minutes}"


def warning_of(kind: str) -> int | None:
    """The minutes of a warning; None for what is none."""
    return int(kind.removeprefix(_APPROACHING)) if kind.startswith(_APPROACHING) else None


def breach_event(clock: Clock, policy: Policy) -> ClockBreached:
    assert clock.breach is not None
    return ClockBreached(
        **_about(clock),
        due_at=clock.breach.due_at,
        tell=policy.told_of_breach,
        discovered_at=clock.breach.discovered_at,
        turn=clock.breach.turn,
    )


def correction_event(clock: Clock, policy: Policy) -> BreachCorrected:
    assert clock.correction is not None
    assert clock.correction.satisfied_at is not None
    return BreachCorrected(
        **_about(clock),
        due_at=clock.correction.due_at,
        tell=policy.told_of_breach,
        satisfied_at=clock.correction.satisfied_at,
        discovered_at=clock.correction.discovered_at,
        turn=clock.correction.turn,
    )


def approaching_event(
    clock: Clock, policy: Policy, minutes: int, now: datetime
) -> ClockApproaching:
    return ClockApproaching(
        **_about(clock),
        due_at=clock.standing.due_at,
        tell=policy.warned.who if policy.warned else (),
        before_minutes=minutes,
        noticed_at=now,
    )


def _about(clock: Clock) -> dict[str, Any]:
    return {
        "referral_id": clock.referral_id,
        "clock_id": clock.clock_id,
        "policy": clock.policy,
        "policy_version": clock.policy_version,
        "child_id": clock.child_id,
        "role": clock.role,
        "duty": clock.duty,
        "matter": clock.matter or None,
    }
