"""The consumer role over the real PostgreSQL bus: what it stores, and when it moves on."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from shared.contracts.base import Topic
from shared.messaging.bus import Batch, BusUnavailable, Incoming, Outgoing, Positions
from shared.messaging.consumer import Consumer
from shared.messaging.postgres.bus import PostgresBus
from shared.messaging.relay import Relay
from shared.runtime.db import Database
from shared.runtime.ids import new_id, utc_now
from shared.runtime.session import Session
from tests.integration.messaging.conftest import Service, received
from tests.support.databases import FreshDatabase

TOPICS = (Topic.REFERRALS,)


@pytest.fixture
async def bus(database: FreshDatabase) -> AsyncIterator[PostgresBus]:
    opened = PostgresBus(database.dsns["bus"].app, "test")
    yield opened
    await opened.close()


@asynccontextmanager
async def running(consumer: Consumer) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(consumer.run(stop))
    yield
    stop.set()
    await asyncio.wait_for(task, 10)


async def until(condition: Callable[[], Coroutine[Any, Any, bool]]) -> None:
    async with asyncio.timeout(10):
        while not await condition():
            await asyncio.sleep(0.01)


async def relay(service: Service, bus: PostgresBus) -> None:
    relay = Relay("svc", service.db, service.dsn, service.outbox_tables, bus)
    await relay.elect()
    publisher = await bus.publisher()
    while await relay.relay_once(publisher):
        continue
    await publisher.close()


async def stored(service: Service) -> int:
    rows = await service.fetch("SELECT count(*) FROM svc.inbox")
    return int(rows[0][0])


async def test_what_the_relay_publishes_is_in_the_inbox_once_whatever_comes_between(
    service: Service, bus: PostgresBus
) -> None:
    subjects = [new_id("ref") for _ in range(3)]
    await service.emit(*(received(subject) for subject in subjects))
    await relay(service, bus)
    await service.execute("UPDATE svc.outbox SET sent_at = NULL")  # Its marks were lost.
    publisher = await bus.publisher()
    await publisher.publish([Outgoing(Topic.REFERRALS, "k", b"\xff no event")])
    await publisher.close()
    await relay(service, bus)
    consumer = Consumer("svc", service.db, service.inbox_tables, bus, TOPICS)
    async with running(consumer):
        await until(lambda: _all_read(service, 7))
    assert await stored(service) == 3
    assert len(await service.fetch("SELECT 1 FROM svc.inbox_quarantine")) == 1


async def test_a_full_batch_is_followed_at_once_whatever_the_pace(
    service: Service, bus: PostgresBus
) -> None:
    await service.emit(*(received(new_id("ref")) for _ in range(501)))
    await relay(service, bus)
    consumer = Consumer("svc", service.db, service.inbox_tables, bus, TOPICS, pace=3600.0)
    async with running(consumer):
        await until(lambda: _all_read(service, 501))
    assert await stored(service) == 501


async def test_a_topic_that_fills_its_share_of_a_batch_is_read_on_at_once(
    service: Service, bus: PostgresBus
) -> None:
    """Of two topics each has half of a batch: 260 records of one are more than one read brings."""
    await service.emit(*(received(new_id("ref")) for _ in range(260)))
    await relay(service, bus)
    topics = (Topic.REFERRALS, Topic.NOTICES)
    consumer = Consumer("svc", service.db, service.inbox_tables, bus, topics, pace=3600.0)
    async with running(consumer):
        await until(lambda: _all_read(service, 260))
    assert await stored(service) == 260


async def _all_read(service: Service, offset: int) -> bool:
    rows = await service.fetch("SELECT next_offset FROM svc.inbox_cursors")
    return [row.next_offset for row in rows] == [offset]


class FailingOnce(Database):
    """A database that fails after the first batch was fetched."""

    failed = False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Session]:
        if not self.failed:
            self.failed = True
            raise ConnectionResetError
        async with super().connection() as session:
            yield session


async def test_a_batch_that_could_not_be_stored_is_read_again_and_none_passes_it(
    service: Service, bus: PostgresBus
) -> None:
    await service.emit(*(received(new_id("ref")) for _ in range(3)))
    await relay(service, bus)
    failing = FailingOnce.open(service.dsn, service.db.wakes, name="failing")
    consumer = Consumer("svc", failing, service.inbox_tables, bus, TOPICS)
    with pytest.raises(ConnectionResetError):
        await consumer.run(asyncio.Event())
    await service.emit(received(new_id("ref")))
    await relay(service, bus)
    async with running(consumer):
        await until(lambda: _all_read(service, 4))
    await failing.close()
    assert await stored(service) == 4


class Scripted:
    """A subscription that finds what it is told."""

    def __init__(self, *batches: Batch | BusUnavailable) -> None:
        self._batches = list(batches)

    async def fetch(self, limit: int, wait: float) -> Batch:
        batch = self._batches.pop(0)
        if isinstance(batch, BusUnavailable):
            raise batch
        return batch

    async def commit(self, next_offsets: Positions) -> None: ...

    async def close(self) -> None: ...


async def test_the_age_of_a_topic_is_that_of_the_oldest_record_just_fetched(
    service: Service, bus: PostgresBus
) -> None:
    """P9: a topic that is read late, or not at all, is seen to wait."""
    consumer = Consumer("svc", service.db, service.inbox_tables, bus, TOPICS)
    assert consumer.age() == 0.0
    old = Incoming("referrals", 0, 0, b"{", utc_now() - timedelta(seconds=90))
    new = Incoming("referrals", 0, 1, b"{", utc_now())
    subscription = Scripted(Batch([old, new], {("referrals", 0): 2}), Batch([]), BusUnavailable())
    await consumer.consume_once(subscription)
    assert 90 <= consumer.age() < 100
    await consumer.consume_once(subscription)
    assert consumer.age() < 5
    with pytest.raises(BusUnavailable):
        await consumer.consume_once(subscription)
    before = consumer.age()
    await asyncio.sleep(0.01)
    assert consumer.age() > before
