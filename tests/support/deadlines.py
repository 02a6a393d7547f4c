"""Deadlines for tests: obviously invented events, and the service's parts over a real database."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from services.deadlines.consumer import KeepFacts
from services.deadlines.facts import Fact
from services.deadlines.keeper import Keeper
from services.deadlines.models import OUTBOX
from services.deadlines.neighbours import Neighbours, Watermark
from services.deadlines.policy_files import load
from services.deadlines.policy_register import open_book
from services.deadlines.reading import FactBearing, facts_of
from services.deadlines.sweeper import Sweeper, Swept
from shared.contracts.base import Event, Source
from shared.contracts.codes import Channel, HtType, NoticeKind, RefusalReason, Role, Stage, Trigger
from shared.contracts.notices import (
    DeliveredNotice,
    NoticesDelivered,
    NoticesPlanned,
    NoticesRefused,
    PlannedNotice,
    RefusedNotice,
)
from shared.contracts.referrals import ReferralAmended, ReferralChild, ReferralReceived
from shared.messaging.outbox import Outbox
from shared.runtime.db import Database
from shared.runtime.ids import new_event_id

RECEIVED = datetime(2026, 3, 7, 20, 0, tzinfo=UTC)
"""The night on which the clocks of Connecticut go forward: 12 hours are 12 hours."""
HOUR = timedelta(hours=1)
DUE = RECEIVED + 12 * HOUR
LE = Role.LOCAL_LAW_ENFORCEMENT
POLICIES = load()
"""Those that ship: frozen, and read once."""


def opaque(kind: str, number: int) -> str:
    return f"{kind}_{number:032x}"


REFERRAL = opaque("ref", 1)
CHILD = opaque("chd", 1)


def agency(name: str) -> str:
    """An agency's id from a letter."""
    return opaque("agy", ord(name))


def notice(name: str, version: int, child: str = CHILD) -> str:
    return opaque("ntc", ord(name) + 1000 * version + 10**6 * int(child[-8:], 16))


def received(
    referral: str = REFERRAL,
    children: Mapping[str, HtType] | None = None,
    at: datetime = RECEIVED,
    *,
    trigger: Trigger = Trigger.CARELINE,
    recorded_at: datetime | None = None,
    synthetic: bool = False,
) -> ReferralReceived:
    return ReferralReceived(
        referral_id=referral,
        version=1,
        trigger=trigger,
        received_at=at,
        recorded_at=recorded_at or at,
        children=_children(children),
        synthetic=synthetic,
    )


def amended(
    version: int,
    children: Mapping[str, HtType] | None = None,
    at: datetime = RECEIVED,
    *,
    referral: str = REFERRAL,
    recorded_at: datetime | None = None,
) -> ReferralAmended:
    return ReferralAmended(
        referral_id=referral,
        version=version,
        trigger=Trigger.CARELINE,
        received_at=at,
        recorded_at=recorded_at or at + HOUR,
        children=_children(children),
    )


def _children(children: Mapping[str, HtType] | None) -> tuple[ReferralChild, ...]:
    given = {CHILD: HtType.SEX} if children is None else children
    return tuple(ReferralChild(child_id=child, ht_type=kind) for child, kind in given.items())


def planned(
    names: Iterable[str],
    at: datetime = RECEIVED,
    *,
    version: int = 1,
    role: Role = LE,
    child: str = CHILD,
    referral: str = REFERRAL,
    superseded: Iterable[str] = (),
    stage: Stage = Stage.RECEIVED,
    kind: NoticeKind = NoticeKind.ORIGINAL,
) -> NoticesPlanned:
    """A plan for one role: notices to `names`, content-free supersessions to `superseded`."""
    kinds = dict.fromkeys(names, kind)
    kinds |= dict.fromkeys(superseded, NoticeKind.SUPERSESSION)
    return NoticesPlanned(
        referral_id=referral,
        version=version,
        stage=stage,
        rules_version="test",
        directory_version=1,
        planned_at=at,
        notices=tuple(
            PlannedNotice(
                notice_id=notice(name, version, child),
                child_id=child,
                agency_id=agency(name),
                role=role,
                kind=kind,
            )
            for name, kind in kinds.items()
        ),
    )


def refused(
    names: Iterable[str | None],
    at: datetime = RECEIVED,
    *,
    version: int = 1,
    role: Role = LE,
    child: str = CHILD,
    referral: str = REFERRAL,
    stage: Stage = Stage.RECEIVED,
) -> NoticesRefused:
    """Refusals; None is a duty for which there is no agency."""
    return NoticesRefused(
        referral_id=referral,
        version=version,
        stage=stage,
        refused_at=at,
        notices=tuple(
            RefusedNotice(
                notice_id=notice(name or "?", version, child),
                child_id=child,
                agency_id=name and agency(name),
                role=role,
                reason=RefusalReason.NO_AUTHORITY_ON_FILE,
            )
            for name in names
        ),
    )


def delivered(
    name: str,
    at: datetime,
    *,
    version: int = 1,
    role: Role = LE,
    child: str = CHILD,
    referral: str = REFERRAL,
) -> NoticesDelivered:
    return NoticesDelivered(
        referral_id=referral,
        notices=(
            DeliveredNotice(
                notice_id=notice(name, version, child),
                child_id=child,
                agency_id=agency(name),
                role=role,
                version=version,
                channel=Channel.ENCRYPTED,
                delivered_at=at,
            ),
        ),
    )


def facts(*events: FactBearing) -> list[Fact]:
    """The facts of events, each event with an id of its own."""
    return [fact for n, data in enumerate(events) for fact in facts_of(f"event-{n}", data)]


class SetClock:
    """A clock that tests move."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@dataclass
class FakeNeighbour:
    """Intake or notify as deadlines sees it. By default it has nothing that has not left it."""

    clock: SetClock
    away: bool = False
    off: timedelta = timedelta(0)
    oldest: datetime | None = None
    sequences: dict[str, int] = field(default_factory=dict)
    asked: int = 0

    async def watermark(self, referral_ids: Sequence[str]) -> Watermark | None:
        self.asked += 1
        if self.away:
            return None
        return Watermark(
            oldest_unrelayed_at=self.oldest, now=self.clock.now + self.off, sequences=self.sequences
        )


@dataclass
class Service:
    """Handlers and sweeper of deadlines over one database, at a time that tests set."""

    db: Database
    clock: SetClock
    intake: FakeNeighbour
    notify: FakeNeighbour
    keep: KeepFacts
    sweeper: Sweeper

    async def hear(self, *events: FactBearing, event_id: str | None = None) -> None:
        """Handle events, each in a transaction of its own."""
        for data in events:
            await self.hear_together([data], event_id)

    async def hear_together(
        self, events: Sequence[FactBearing], event_id: str | None = None
    ) -> None:
        """Handle events in one transaction, as the worker does with what is ready."""
        batch = []
        for data in events:
            event = self._event(data, event_id or new_event_id())
            batch.append((event, data, await self.keep.prepare(event, data)))
        async with self.db.transaction() as session:
            await self.keep.apply_all(session, batch)

    def _event(self, data: FactBearing, event_id: str) -> Event:
        return Event(
            id=event_id,
            source=Source.INTAKE,
            type=data.type,
            subject=data.subject,
            time=self.clock.now,
            sequence=1,
            data={},
        )

    async def sweep_at(self, moment: datetime) -> Swept:
        self.clock.now = moment
        return await self.sweeper.sweep_once()

    async def rows(self, query: str, **values: object) -> list[Any]:
        async with self.db.transaction() as session:
            return list(await session.execute(text(query), values))

    async def clock_of(self, role: Role = LE, child: str = CHILD) -> Any:
        query = "SELECT * FROM deadlines.clocks WHERE role = :role AND child_id = :child"
        (row,) = await self.rows(query, role=role, child=child)
        return row

    async def emitted(self, role: Role | None = LE) -> list[dict[str, Any]]:
        """The events emitted about clocks of a role, oldest first: type and data."""
        rows = await self.rows(
            "SELECT convert_from(body, 'UTF8')::jsonb AS event FROM deadlines.outbox ORDER BY id"
        )
        events = [{"type": row.event["type"], **row.event["data"]} for row in rows]
        return [event for event in events if role is None or event["role"] == role]


async def service(db: Database, *, at: datetime = RECEIVED) -> Service:
    """The parts, with the shipped policies."""
    clock = SetClock(at)
    intake, notify = FakeNeighbour(clock), FakeNeighbour(clock)
    neighbours = Neighbours({Source.INTAKE: intake, Source.NOTIFY: notify}, clock)
    keeper = Keeper(await open_book(db, POLICIES), Outbox(OUTBOX, Source.DEADLINES))
    sweeper = Sweeper(db, keeper, neighbours, clock)
    return Service(db, clock, intake, notify, KeepFacts(keeper, clock), sweeper)


def second_sweeper(of: Service, db: Database) -> Sweeper:
    """Another process's sweeper over the same database."""
    return Sweeper(db, of.keep._keeper, of.sweeper._neighbours, of.clock)
