"""What became of a clock, in lines that a person can read. Pure."""

from datetime import datetime
from zoneinfo import ZoneInfo

from services.deadlines.calendars import CONNECTICUT
from services.deadlines.clocks import Clock
from services.deadlines.policy import Policy


def history(clock: Clock, policy: Policy) -> list[tuple[datetime, str]]:
    """What became of a clock, a line each, oldest first, in Connecticut's time."""
    standing, name = clock.standing, f"{policy.policy} ({clock.duty.replace('_', ' ')})"
    lines = [
        (standing.basis_at, f"{name}: the clock began; due {_local(standing.due_at)}."),
        *(_warning(clock, name, minutes) for minutes in clock.warned),
    ]
    if clock.breach is not None:
        found = _local(clock.breach.discovered_at)
        why = (clock.breach.reason or "unknown").replace("_", " ")
        lines.append((clock.breach.due_at, f"{name}: ran out ({why}); noticed {found}."))
    if standing.satisfied_at is not None:
        what = "the duty ended" if standing.released else "the duty was met"
        when = "in time" if standing.in_time else "late"
        lines.append((standing.satisfied_at, f"{name}: {what}, {when}."))
    if clock.correction is not None:
        words = "found to have been met in time after all; the breach is corrected."
        lines.append((clock.correction.discovered_at, f"{name}: {words}"))
    return sorted(lines)


def _warning(clock: Clock, name: str, minutes: int) -> tuple[datetime, str]:
    due = clock.standing.due_at
    at = datetime.fromtimestamp(due.timestamp() - 60 * minutes, due.tzinfo)
    return at, f"{name}: {minutes} minutes before it is due, not met; people were warned."


def _local(moment: datetime) -> str:
    return f"{moment.astimezone(ZoneInfo(CONNECTICUT)):%Y-%m-%d %H:%M %Z}"
