"""What is true by now of the clocks that a task is about, for whoever reads it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Clock:
    """Of a child's recipient, or (`role` None) of a duty that is no recipient's."""

    child_id: str
    policy: str
    role: str | None
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Leg:
    """A recipient. `told_at` None: it has not been told, by us or by telephone."""

    child_id: str
    role: str
    told_at: datetime | None


@dataclass(frozen=True, slots=True)
class Known:
    """Of a referral: its recipients, and when intake accepted it, if that is on record."""

    legs: Sequence[Leg]
    accepted_at: datetime | None


def by_now(clocks: Sequence[Clock], known: Known) -> str:
    """Sentences before the task's own: who has been told, when, and how late."""
    said = [_telling([each for each in clocks if each.role is not None], known.legs)]
    if any(each.role is None for each in clocks):
        said.append("Whether the duty is done by now, GET /v1/referrals/…/clocks says.")
    said.append(_accepted([each.due_at for each in clocks], known.accepted_at))
    return " ".join(each for each in said if each)


def _telling(clocks: Sequence[Clock], legs: Sequence[Leg]) -> str:
    if not clocks:
        return ""
    told = {(each.child_id, each.role): _told_at(each, legs) for each in clocks}
    missing = [f"{role} of child {child}" for (child, role), at in told.items() if at is None]
    if missing:
        others = " Everybody else has been told." if len(missing) < len(told) else ""
        return (
            f"NOT TOLD YET: {', '.join(missing)}. Look at GET /v1/referrals/…/notices, and tell "
            f"that recipient by telephone now, unless it has been told since.{others}"
        )
    last = max(at for at in told.values() if at is not None)
    late = last - min(each.due_at for each in clocks)
    how = f", {_words(late)} late" if late > timedelta() else ", in time"
    return (
        f"By now every recipient has been told, the last at {last:%Y-%m-%dT%H:%M:%SZ}"
        f"{how}: nobody needs to be telephoned."
    )


def _told_at(clock: Clock, legs: Sequence[Leg]) -> datetime | None:
    """When the last of the clock's recipients was told; None while one is not, or there is none."""
    times = [
        each.told_at for each in legs if (each.child_id, each.role) == (clock.child_id, clock.role)
    ]
    known = [each for each in times if each is not None]
    return max(known) if known and len(known) == len(times) else None


def _accepted(due: Sequence[datetime], accepted_at: datetime | None) -> str:
    if accepted_at is None or not due or accepted_at <= min(due):
        return ""
    return (
        f"The referral came to Hartline only at {accepted_at:%Y-%m-%dT%H:%M:%SZ}, "
        f"{_words(accepted_at - min(due))} after the first had run out: find out why it came so "
        "late."
    )


def _words(span: timedelta) -> str:
    minutes = int(span.total_seconds()) // 60
    if minutes < 1:
        return f"{int(span.total_seconds())} s"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"
