"""A slow oracle of the clocks: the words of the shipped policies, read moment by moment.

It knows the events and the words, and nothing of facts, folds or stories. At every moment that any
event speaks of it asks two questions, "is it owed?" and "is it met?", and looks back.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shared.contracts.base import EventData
from shared.contracts.codes import Channel, NoticeKind, Role, Stage
from shared.contracts.notices import (
    NoticesAcknowledged,
    NoticesDelivered,
    NoticesPickedUp,
    NoticesPlanned,
    NoticesRefused,
    NoticesRerouted,
    NoticesToldOrally,
)
from shared.contracts.referrals import (
    ConsultCompleted,
    ConsultEntered,
    ConsultRequested,
    ReferralAmended,
    ReferralDecided,
    ReferralReceived,
    ReferralWithdrawn,
    VictimIdentified,
)

HOUR = timedelta(hours=1)
HOME = ZoneInfo("America/New_York")
EMPTY = {
    NoticeKind.SUPERSESSION,
    NoticeKind.RECALL,
    NoticeKind.WITHDRAWAL,
    NoticeKind.CONSULT_OUTCOME,
}
LEGS = {
    "le12": (Role.LOCAL_LAW_ENFORCEMENT, Stage.RECEIVED),
    "fbi12": (Role.FBI, Stage.RECEIVED),
    "csa12": (Role.CHIEF_STATES_ATTORNEY, Stage.RECEIVED),
    "mdt12": (Role.MDT, Stage.RECEIVED),
    "le24_identified": (Role.LOCAL_LAW_ENFORCEMENT, Stage.RECEIVED),
    "ncmec24": (Role.NCMEC, Stage.RECEIVED),
    "hhs24": (Role.ELIGIBILITY_COORDINATOR, Stage.RECEIVED),
    "ico1": (Role.INTERSTATE_COMPACT, Stage.ACCEPTED),
}
CONDITIONAL = {"ncmec24", "hhs24"}
"""And ico1, which has a basis of its own: whom nobody planned to tell need not be told."""


Versions = Sequence[ReferralReceived | ReferralAmended]


@dataclass(frozen=True)
class Word:
    """What the words say of one clock."""

    basis: datetime
    due: datetime
    since: datetime | None
    """Since when nothing has been owed, at the earliest from the basis on."""
    released: bool

    @property
    def in_time(self) -> bool:
        return self.since is not None and self.since <= self.due


@dataclass(frozen=True)
class Heard:
    """Something was told to somebody."""

    who: str
    notice: str
    at: datetime
    answered: bool


def read(policy: str, child: str, matter: str, events: Sequence[EventData]) -> Word | None:
    """None: there is no such clock."""
    reading = _Reading(policy, child, matter, events)
    basis = reading.basis()
    if basis is None:
        return None
    since: datetime | None = None
    for moment in sorted(reading.moments(), reverse=True):
        if moment < basis or not reading.quiet(moment):
            break
        since = moment
    end = max(reading.moments())
    released = since is not None and not reading.met(end)
    return Word(basis, reading.due(basis), since, released)


class _Reading:
    def __init__(self, policy: str, child: str, matter: str, events: Sequence[EventData]) -> None:
        self.policy, self.child, self.matter, self.events = policy, child, matter, events

    def moments(self) -> set[datetime]:
        found: set[datetime] = set()
        for event in self.events:
            for part in (event, *getattr(event, "notices", ())):
                times = (getattr(part, name) for name in type(part).model_fields)
                found |= {value for value in times if isinstance(value, datetime)}
        basis = self.basis()
        return found if basis is None else {*found, basis}

    def quiet(self, moment: datetime) -> bool:
        return self.met(moment) or not self.owed(moment)

    # When it begins, and how long it runs

    def basis(self) -> datetime | None:
        match self.policy:
            case "hart72":
                return self._first(ConsultRequested, "started_at")
            case "entry5d" | "monthly_data":
                return self._first(ConsultCompleted, "completed_at")
            case "le24_identified":
                of_child = (e for e in self._all(VictimIdentified) if e.child_id == self.child)
                return min((e.identified_at for e in of_child), default=None)
            case "ack24":
                return self._told_basis()
            case "ico1":
                return self._accepted_basis() if self._versions_with_leg() else None
            case "ncmec24" | "hhs24":
                return self._discovered()
            case _:
                return self._received_at()

    def due(self, basis: datetime) -> datetime:
        hours = {"hart72": 72, "ico1": 1, "le24_identified": 24, "ack24": 24}
        hours |= dict.fromkeys(CONDITIONAL, 24)
        day = basis.astimezone(HOME).date()
        if self.policy == "entry5d":
            return _midnight_after(day + timedelta(days=5))
        if self.policy == "monthly_data":
            return _midnight_after(_fifth_working_day_after_the_month_of(day))
        return basis + hours.get(self.policy, 12) * HOUR

    def _received_at(self) -> datetime:
        """The latest version's word, unless the time was over by the word before when it was
        recorded: then the sooner of both, for nobody amends a breach away."""
        return self._received_by_word_of(self._stating())

    def _received_by_word_of(self, versions: Versions) -> datetime:
        latest = versions[-1]
        if len(versions) == 1:
            return latest.received_at
        before = self._received_by_word_of(versions[:-1])
        over = self.due(before) < latest.recorded_at
        return min(before, latest.received_at) if over else latest.received_at

    def _discovered(self) -> datetime | None:
        versions = self._versions_with_leg()
        if not versions:
            return None
        first = min(versions)
        if first == 1:
            return self._received_at()
        recorded = [e.recorded_at for e in self._versions() if e.version == first]
        plans = [e for e in self._all_plans() if e.version == first]
        return min(recorded) if recorded else min(_planned_at(e) for e in plans)

    def _versions(self) -> list[ReferralReceived | ReferralAmended]:
        return [*self._all(ReferralReceived), *self._all(ReferralAmended)]

    def _stating(self) -> list[ReferralReceived | ReferralAmended]:
        """The versions that state the child, in their order."""
        found = [e for e in self._versions() if any(c.child_id == self.child for c in e.children)]
        return sorted(found, key=lambda e: e.version)

    def _versions_with_leg(self) -> set[int]:
        role, stage = LEGS[self.policy]
        empty = self._empty()
        return {
            e.version
            for e in self._choices()
            if e.stage is stage
            for leg in e.notices
            if (leg.child_id, leg.role) == (self.child, role) and leg.notice_id not in empty
        }

    def _told_basis(self) -> datetime | None:
        """When it was first told, if it was not out of it again within the day; else when it was
        told anew; else the last time."""
        instant = timedelta(microseconds=1)
        changes = sorted(
            {each.at for each in self._heard()}
            | {e.rerouted_at for e in self._all(NoticesRerouted)}
        )
        starts = [at for at in changes if self._holds(at) and not self._holds(at - instant)]
        for start in starts:
            if all(self._holds(at) for at in changes if start <= at <= start + 24 * HOUR):
                return start
        return starts[-1] if starts else None

    def _holds(self, moment: datetime) -> bool:
        """Whether the agency has something of the child, of which it has not been told since that
        it is not its own: no later word about what it was told before then counts."""
        return any(each.at <= moment and not self._is_out(each, moment) for each in self._heard())

    def _heard(self) -> list[Heard]:
        empty = self._empty()
        return [h for h in self._hearings() if h.who == self.matter and h.notice not in empty]

    def _is_out(self, heard: Heard, moment: datetime) -> bool:
        plans = [
            _planned_at(e)
            for e in (*self._all(NoticesPlanned), *self._all(NoticesRerouted))
            if any(leg.notice_id == heard.notice for leg in e.notices)
        ]
        planned = min(plans, default=heard.at)
        return any(
            leg.notice_id == heard.notice or planned < e.rerouted_at
            for e in self._all(NoticesRerouted)
            if e.rerouted_at <= moment
            for leg in e.left
            if (leg.child_id, leg.agency_id) == (self.child, self.matter)
        )

    def _has_answered(self, moment: datetime) -> bool:
        """To whichever notice; to one that told nothing, once there was something to answer."""
        first = min((each.at for each in self._heard()), default=None)
        empty = self._empty()
        return any(
            each.answered and (each.notice not in empty or (first and each.at >= first))
            for each in self._hearings()
            if each.who == self.matter and each.at <= moment
        )

    def _accepted_basis(self) -> datetime | None:
        """The beginning of the first acceptance that stood for an hour; else of the last."""
        starts = []
        times = sorted(_decision_at(e) for e in self._all(ReferralDecided))
        for at in times:
            if self._accepted(at) and not self._accepted(at - timedelta(microseconds=1)):
                starts.append(at)
        for start in starts:
            ends = [at for at in times if at > start and not self._accepted(at)]
            if not ends or min(ends) > start + HOUR:
                return start
        return starts[-1] if starts else None

    # Is it owed, is it met?

    def owed(self, moment: datetime) -> bool:
        for e in self._all(ReferralWithdrawn):
            if e.cause.value == "entered_in_error" and e.recorded_at <= moment:
                return False
        if self.policy == "ico1" and not self._accepted(moment):
            return False
        if self.policy == "ack24" and not self._holds(moment):
            return False
        if self.policy in CONDITIONAL or self.policy == "ico1":
            plans = self._plans(moment)
            if plans:
                return max(e.version for e in plans) in self._versions_with_leg()
        return True

    def met(self, moment: datetime) -> bool:
        match self.policy:
            case "hart72":
                at = self._first(ConsultCompleted, "completed_at")
                return at is not None and at <= moment
            case "entry5d" | "monthly_data":
                at = self._first(ConsultEntered, "entered_at")
                return at is not None and at <= moment
            case "ack24":
                return self._has_answered(moment)
            case _:
                return self._everybody_told(moment)

    def _everybody_told(self, moment: datetime) -> bool:
        role, stage = LEGS[self.policy]
        plans = self._plans(moment)
        if not plans:
            return False
        latest = max(e.version for e in plans)
        gone = self._left(moment) | self._empty()
        whom = [
            leg.agency_id
            for e in self._choices()
            if (e.version, e.stage) == (latest, stage) and _planned_at(e) <= moment
            for leg in e.notices
            if (leg.child_id, leg.role) == (self.child, role) and leg.notice_id not in gone
        ]
        outcomes = {
            leg.notice_id
            for e in self._all(NoticesPlanned)
            if e.stage is Stage.CONSULT_SHARED
            for leg in e.notices
            if leg.kind not in EMPTY
        }
        told = {who for who, at in self._tellings(outcomes) if at <= moment}
        return bool(whom) and all(who in told for who in whom)

    def _accepted(self, moment: datetime) -> bool:
        made = [e for e in self._all(ReferralDecided) if _decision_at(e) <= moment]
        return bool(made) and max(made, key=lambda e: e.decision).outcome.value == "accepted"

    def _plans(self, moment: datetime) -> list[NoticesPlanned | NoticesRefused]:
        """Those of its stage that were made by then and have something to say of the child: their
        version states it, or they name it."""
        return [e for e in self._all_plans() if _planned_at(e) <= moment and self._is_about(e)]

    def _all_plans(self) -> list[NoticesPlanned | NoticesRefused]:
        _, stage = LEGS[self.policy]
        found = [*self._all(NoticesPlanned), *self._all(NoticesRefused)]
        return [e for e in found if e.stage is stage]

    def _is_about(self, plan: NoticesPlanned | NoticesRefused) -> bool:
        empty = self._empty()
        named = {
            e.version
            for e in self._choices()
            for leg in e.notices
            if leg.child_id == self.child and leg.notice_id not in empty
        }
        return plan.version in named | {e.version for e in self._stating()}

    def _choices(self) -> list[NoticesPlanned | NoticesRefused | NoticesRerouted]:
        """Whatever says who is to be told."""
        kinds = NoticesPlanned, NoticesRefused, NoticesRerouted
        return [e for kind in kinds for e in self._all(kind)]

    def _left(self, moment: datetime) -> set[str]:
        """The notices whose recipients were out of their legs by then."""
        return {
            leg.notice_id
            for e in self._all(NoticesRerouted)
            if e.rerouted_at <= moment
            for leg in e.left
        }

    def _empty(self) -> set[str]:
        return {
            leg.notice_id
            for e in (*self._all(NoticesPlanned), *self._all(NoticesRerouted))
            for leg in e.notices
            if leg.kind in EMPTY
        }

    def _tellings(self, but: Collection[str] = ()) -> Iterator[tuple[str, datetime]]:
        """Who was told of the child, and when."""
        empty = self._empty().union(but)
        return ((each.who, each.at) for each in self._hearings() if each.notice not in empty)

    def _hearings(self) -> Iterator[Heard]:
        """All that anybody was told by any notice about the child."""
        for e in self.events:
            for leg in getattr(e, "notices", ()):
                if leg.child_id != self.child:
                    continue
                who, notice = leg.agency_id, leg.notice_id
                if isinstance(e, NoticesDelivered) and leg.channel is Channel.ENCRYPTED:
                    yield Heard(who, notice, leg.delivered_at, False)
                elif isinstance(e, NoticesPickedUp):
                    yield Heard(who, notice, leg.picked_up_at, False)
                elif isinstance(e, NoticesAcknowledged):
                    yield Heard(who, notice, leg.acknowledged_at, True)
                elif isinstance(e, NoticesToldOrally):
                    yield Heard(who, notice, leg.told_at, True)

    def _first(self, kind: type[EventData], name: str) -> datetime | None:
        times = [getattr(e, name) for e in self._all(kind) if e.consult_id == self.matter]
        return min(times, default=None)

    def _all(self, kind: type) -> list:  # type: ignore[type-arg]
        return [e for e in self.events if isinstance(e, kind)]


def _decision_at(decision: ReferralDecided) -> datetime:
    """A reversal counts from when it was recorded, so that it cannot be dated back."""
    accepted = decision.outcome.value == "accepted"
    return decision.decided_at if accepted else decision.recorded_at


def _planned_at(plan: NoticesPlanned | NoticesRefused | NoticesRerouted) -> datetime:
    match plan:
        case NoticesPlanned():
            return plan.planned_at
        case NoticesRefused():
            return plan.refused_at
        case NoticesRerouted():
            return plan.rerouted_at


def _midnight_after(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), HOME).astimezone(UTC)


CLOSED_DAYS = {
    date(2026, 1, 1),
    date(2026, 4, 3),
    date(2026, 7, 3),
    date(2026, 9, 7),
    date(2027, 1, 1),
}
"""The state holidays of 2026 that lie in the first days of a month."""


def _fifth_working_day_after_the_month_of(day: date) -> date:
    while (day + timedelta(days=1)).day != 1:
        day += timedelta(days=1)
    for _ in range(5):
        day += timedelta(days=1)
        while day.weekday() >= 5 or day in CLOSED_DAYS:
            day += timedelta(days=1)
    return day
