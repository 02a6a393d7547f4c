"""Who is on call for a role at a moment, in the order in which they are paged. Pure.

Hours are Connecticut's. Where a shift ends before it begins, it ends on the next day.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from shared.contracts.codes import Desk

CONNECTICUT = ZoneInfo("America/New_York")
_FAR = timedelta(days=8)
_STEP = timedelta(minutes=15)


class ChannelKind(StrEnum):
    EMAIL = "email"
    WEBHOOK = "webhook"
    """Takes Alertmanager's webhook JSON, as pagers do."""


@dataclass(frozen=True, slots=True)
class Channel:
    kind: ChannelKind
    to: str
    """An address, or a URL."""


@dataclass(frozen=True, slots=True)
class Person:
    """`id` is the subject of the person's tokens, with which they acknowledge."""

    id: str
    channels: tuple[Channel, ...]


class Holidays(StrEnum):
    """What a shift does on a holiday."""

    AS_USUAL = "as_usual"
    OFF = "off"
    ONLY = "only"


@dataclass(frozen=True, slots=True)
class Shift:
    """`days` as weekdays, 0 = Monday, on which it begins; `people` in the order of paging."""

    days: frozenset[int]
    begins: time
    ends: time
    people: tuple[str, ...]
    holidays: Holidays = Holidays.AS_USUAL

    def covers(self, at: datetime, holidays: frozenset[date]) -> bool:
        here = at.astimezone(CONNECTICUT)
        today, yesterday = here.date(), here.date() - timedelta(days=1)
        if self.begins < self.ends:
            return self._begins_on(today, holidays) and self.begins <= here.time() < self.ends
        return (self._begins_on(today, holidays) and here.time() >= self.begins) or (
            self._begins_on(yesterday, holidays) and here.time() < self.ends
        )

    def _begins_on(self, day: date, holidays: frozenset[date]) -> bool:
        if day in holidays:
            return self.holidays is Holidays.ONLY or (
                self.holidays is Holidays.AS_USUAL and day.weekday() in self.days
            )
        return self.holidays is not Holidays.ONLY and day.weekday() in self.days


@dataclass(frozen=True, slots=True)
class Override:
    """`person` comes in for a time: in somebody's place, or behind those who are on call. Who
    stands in for somebody and is stood in for hands on both places."""

    role: str
    person: str
    instead_of: str | None
    starts_at: datetime
    ends_at: datetime

    def holds(self, role: str, at: datetime) -> bool:
        return self.role == role and self.starts_at <= at < self.ends_at


@dataclass(frozen=True, slots=True)
class Duty:
    """Which role a kind of task goes to. One that is not urgent waits for the role's hours."""

    role: str
    urgent: bool = True


@dataclass(frozen=True, slots=True)
class Roster:
    """`desks`: of tasks that are a desk's, whatever their kind. `otherwise`: of kinds that are not
    named. `fallback`: whom to page when all else fails."""

    people: Mapping[str, Person]
    shifts: Mapping[str, Sequence[Shift]]
    duties: Mapping[str, Duty]
    otherwise: Duty
    fallback: tuple[str, ...]
    holidays: frozenset[date] = frozenset()
    overrides: tuple[Override, ...] = field(default=())
    desks: Mapping[str, Duty] = field(default_factory=dict)

    def duty(self, kind: str, desk: str | None = None) -> Duty:
        """Of a desk's task the desk's, or the role that is called like it; otherwise the kind's."""
        by_kind = self.duties.get(kind, self.otherwise)
        if desk is None:
            return by_kind
        own = Duty(desk, by_kind.urgent) if desk in self.shifts else by_kind
        return self.desks.get(desk, own)

    def waits_for_hours(self, role: str) -> bool:
        """Whether no task of the role is urgent: it need not be on call around the clock."""
        duties = [*self.duties.values(), *self.desks.values(), self.otherwise]
        to_it = [duty for duty in duties if duty.role == role]
        of_its_name = role in set(Desk) and role not in self.desks
        return bool(to_it) and not of_its_name and not any(duty.urgent for duty in to_it)

    def stands_for(self, person: str, desk: str, kind: str, at: datetime) -> bool:
        """Whether a desk's task is this person's to take, in whatever shift."""
        role = self.duty(kind, desk).role
        members = {each for shift in self.shifts.get(role, ()) for each in shift.people}
        standing_in = {each.person for each in self.overrides if each.holds(role, at)}
        return person in members | standing_in

    def on_call(self, role: str, at: datetime) -> tuple[str, ...]:
        """In the order of paging; empty when nobody is. Whoever is no longer known is not."""
        usual = [
            person
            for shift in self.shifts.get(role, ())
            if shift.covers(at, self.holidays)
            for person in shift.people
        ]
        holding = [each for each in self.overrides if each.holds(role, at)]
        instead = {each.instead_of: each.person for each in holding if each.instead_of is not None}
        behind = [each.person for each in holding if each.instead_of is None]
        return self._known(self._stands_in(person, instead) for person in usual + behind)

    def stand_ins(self, role: str, at: datetime) -> dict[str, Override]:
        """By the person: whoever is on call for the role at that moment by an override alone."""
        holding = {each.person: each for each in self.overrides if each.holds(role, at)}
        usual = replace(self, overrides=()).on_call(role, at)
        return {
            person: holding[person]
            for person in self.on_call(role, at)
            if person in holding and (holding[person].instead_of or person not in usual)
        }

    def _stands_in(self, person: str, instead: Mapping[str, str]) -> str:
        """Who is paged in that person's place: the last known of those who stand in for one
        another, or the person itself. Two who have swapped are each other."""
        passed, last = {person}, person
        while (person := instead.get(person, "")) and person not in passed:
            passed.add(person)
            last = person if person in self.people else last
        return last

    def fallbacks(self) -> tuple[str, ...]:
        return self._known(self.fallback)

    def next_hours(self, role: str, after: datetime) -> datetime | None:
        """When somebody is next on call for the role, within eight days, to a quarter of an hour;
        None: nobody is."""
        at = after
        while at <= after + _FAR:
            if self.on_call(role, at):
                return at
            at += _STEP
        return None

    def _known(self, ids: Iterable[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(each for each in ids if each in self.people))
