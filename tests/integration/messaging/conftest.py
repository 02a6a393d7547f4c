"""One service that emits and consumes, in a schema of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Dialect, MetaData, TextClause, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from shared.contracts.base import Event, EventData, Source, Topic
from shared.contracts.codes import HtType, Trigger
from shared.contracts.referrals import ReferralChild, ReferralReceived
from shared.messaging.bus import Batch, Incoming
from shared.messaging.inbox import Inbox
from shared.messaging.outbox import Outbox
from shared.messaging.streams import Streams
from shared.messaging.tables import inbox_tables, outbox_tables
from shared.messaging.worker import Worker
from shared.runtime.db import Database, Session
from shared.runtime.ids import new_event_id, new_id
from shared.runtime.wakes import Wakes
from tests.support.databases import FreshDatabase

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


def received(subject: str) -> ReferralReceived:
    return ReferralReceived(
        referral_id=subject,
        version=1,
        trigger=Trigger.CARELINE,
        received_at=NOW,
        recorded_at=NOW,
        children=(ReferralChild(child_id=new_id("chd"), ht_type=HtType.SEX),),
    )


def record(
    offset: int,
    subject: str,
    sequence: int,
    *,
    source: Source = Source.INTAKE,
    event_id: str | None = None,
    data: dict[str, object] | None = None,
    topic: Topic = Topic.REFERRALS,
    emitted_at: datetime = NOW,
    type_: str = ReferralReceived.type,
) -> Incoming:
    """An event as it lies on the bus."""
    event = Event(
        id=event_id or new_event_id(),
        source=source,
        type=type_,
        subject=subject,
        time=emitted_at,
        sequence=sequence,
        data=received(subject).model_dump(mode="json") if data is None else data,
    )
    return Incoming(topic.value, 0, offset, event.model_dump_json().encode())


@dataclass
class Recorder:
    """A handler that writes down what was applied, and fails as told."""

    applied: list[tuple[str, str, int]] = field(default_factory=list)
    fail: dict[str, Exception] = field(default_factory=dict)
    fail_apply: dict[str, Exception] = field(default_factory=dict)

    async def prepare(self, event: Event, data: EventData) -> Any:
        if event.subject in self.fail:
            raise self.fail[event.subject]
        return event.id

    async def apply(self, session: Session, event: Event, data: EventData, material: Any) -> None:
        assert material == event.id
        await session.execute(
            text("INSERT INTO svc.effects (event_id) VALUES (:id)"), {"id": event.id}
        )
        if event.subject in self.fail_apply:
            raise self.fail_apply[event.subject]
        self.applied.append((event.subject, event.source.value, event.sequence))


@dataclass
class Service:
    """A service's messaging on a real database."""

    db: Database
    dsn: str
    metadata: MetaData
    recorder: Recorder = field(default_factory=Recorder)

    def __post_init__(self) -> None:
        self.outbox_tables = outbox_tables(self.metadata)
        self.inbox_tables = inbox_tables(self.metadata)
        self.outbox = Outbox(self.outbox_tables, Source.INTAKE)
        self.inbox = Inbox(self.inbox_tables)
        self.streams = Streams(self.inbox_tables)

    def worker(self) -> Worker:
        return Worker(
            "svc", self.db, self.dsn, self.inbox_tables, {ReferralReceived: self.recorder}
        )

    async def receive(self, *records: Incoming) -> Any:
        offsets = {(r.topic, r.partition): r.offset + 1 for r in records}
        async with self.db.transaction() as session:
            return await self.inbox.receive(session, Batch(records, offsets))

    async def emit(self, *events: EventData) -> None:
        async with self.db.transaction() as session:
            await self.outbox.emit(session, NOW, *events)

    async def fetch(self, sql: str, **values: object) -> list[Any]:
        async with self.db.transaction() as session:
            return list((await session.execute(text(sql), values)).all())

    async def execute(self, sql: str, **values: object) -> None:
        async with self.db.transaction() as session:
            await session.execute(text(sql), values)


_POSTGRESQL: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]


def _ddl(element: CreateTable | CreateIndex) -> TextClause:
    return text(str(element.compile(dialect=_POSTGRESQL)))


async def make_tables(db: Database, metadata: MetaData) -> None:
    """A schema with its tables, as whoever `db` is."""
    async with db.transaction() as session:
        await session.execute(text(f"CREATE SCHEMA {metadata.schema}"))
        for table in metadata.sorted_tables:
            await session.execute(_ddl(CreateTable(table)))
            for index in table.indexes:
                await session.execute(_ddl(CreateIndex(index)))


@asynccontextmanager
async def service_on(dsn: str) -> AsyncIterator[Service]:
    """A service whose tables are made on this empty database, as a superuser."""
    db = Database.open(dsn, Wakes(), name="messaging-test")
    service = Service(db, dsn, MetaData(schema="svc"))
    await make_tables(db, service.metadata)
    await service.execute("CREATE TABLE svc.effects (event_id text NOT NULL)")
    yield service
    await db.close()


@pytest.fixture
async def service(database: FreshDatabase) -> AsyncIterator[Service]:
    async with service_on(database.superuser_dsn) as service:
        yield service
