"""When nobody is on call, by the roster and its overrides. Pure.

A role whose tasks all wait for its hours has no hole, as long as it has hours within the week.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.notify.oncall.roster import CONNECTICUT, Roster, Shift

AHEAD = timedelta(days=7)
_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Hole:
    """From `begins` on nobody is on call for the role. `ends` None: not within the week."""

    role: str
    begins: datetime
    ends: datetime | None

    def says(self, now: datetime) -> str:
        """`careline: NOBODY now, until Mon 2026-11-30 00:00 EST`."""
        begins = "now," if self.begins <= now else f"from {here(self.begins)}"
        ends = "for the week to come" if self.ends is None else f"until {here(self.ends)}"
        return f"{self.role}: NOBODY {begins} {ends}"


def holes(roster: Roster, now: datetime) -> list[Hole]:
    """All of the week after `now`, the first to begin first."""
    moments = _moments(roster, now)
    found: list[Hole] = []
    for role in roster.shifts:
        of_role = list(_holes_of(roster, role, moments))
        never = of_role == [Hole(role, now, None)]
        found += of_role if never or not roster.waits_for_hours(role) else []
    return sorted(found, key=lambda each: (each.begins, each.role))


def warnings(roster: Roster, now: datetime) -> list[str]:
    """A line for each of the first holes of each role; none: somebody is always on call."""
    found = holes(roster, now)
    lines = []
    for role in sorted({each.role for each in found}):
        of_role = [each for each in found if each.role == role]
        lines += [f"! {each.says(now)}" for each in of_role[:_SHOWN]]
        if (more := len(of_role) - _SHOWN) > 0:
            lines.append(f"! {role}: and {more} more times within the week")
    return lines


def here(at: datetime) -> str:
    """In Connecticut's time."""
    return f"{at.astimezone(CONNECTICUT):%a %Y-%m-%d %H:%M %Z}"


def _holes_of(roster: Roster, role: str, moments: list[datetime]) -> Iterator[Hole]:
    begins: datetime | None = None
    for moment in moments:
        if roster.on_call(role, moment):
            if begins is not None:
                yield Hole(role, begins, moment)
            begins = None
        elif begins is None:
            begins = moment
    if begins is not None:
        yield Hole(role, begins, None)


def _moments(roster: Roster, now: datetime) -> list[datetime]:
    """All at which somebody may come or go, from now on. Clocks change at a whole hour."""
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    found = {now, *(hour + n * _HOUR for n in range(1, 7 * 24 + 1))}
    for override in roster.overrides:
        found |= {override.starts_at, override.ends_at}
    for shifts in roster.shifts.values():
        for shift in shifts:
            found |= set(_changes(shift, now))
    return sorted(each for each in found if now <= each < now + AHEAD)


def _changes(shift: Shift, now: datetime) -> Iterator[datetime]:
    today = now.astimezone(CONNECTICUT).date()
    for days in range(9):
        for at in (shift.begins, shift.ends):
            for fold in (0, 1):
                moment = datetime.combine(today + days * _DAY, at, CONNECTICUT)
                yield moment.replace(fold=fold).astimezone(UTC)
