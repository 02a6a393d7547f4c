"""Kafka's disk is lost and the database is not: the outbox has every event (docs/restore.md)."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from deploy.machine.kafka import KafkaBroker
from shared.contracts.base import Topic
from shared.messaging import resending
from shared.messaging.consumer import Consumer
from shared.messaging.kafka.bus import KafkaBus
from shared.messaging.relay import Relay
from shared.runtime.ids import new_id
from tests.integration.messaging.conftest import Service, received
from tests.support.brokers import needs_kafka

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


@pytest.fixture
def brokers() -> Iterator[KafkaBroker]:
    """A broker of this test's own, for it is destroyed."""
    home = Path(tempfile.mkdtemp(prefix="hartline-lost-"))
    broker = KafkaBroker(home)
    try:
        with needs_kafka():
            broker.start()
        yield broker
    finally:
        broker.stop()
        shutil.rmtree(home, ignore_errors=True)


@asynccontextmanager
async def running(*roles: Callable[[asyncio.Event], Awaitable[None]]) -> AsyncIterator[None]:
    stop = asyncio.Event()
    tasks = [asyncio.ensure_future(role(stop)) for role in roles]
    yield
    stop.set()
    await asyncio.gather(*tasks)


async def number(service: Service, sql: str, wanted: int) -> None:
    async with asyncio.timeout(60):
        while len(await service.fetch(sql)) != wanted:
            await asyncio.sleep(0.05)


async def test_p1_what_the_brokers_lost_comes_again_from_the_outbox_once(
    brokers: KafkaBroker, service: Service
) -> None:
    unsent, stored = "SELECT 1 FROM svc.outbox WHERE sent_at IS NULL", "SELECT 1 FROM svc.inbox"
    bus = KafkaBus(brokers.bootstrap, "test")
    relay = Relay("svc", service.db, service.dsn, service.outbox_tables, bus)
    consumer = Consumer("svc", service.db, service.inbox_tables, bus, (Topic.REFERRALS,))
    await service.emit(*(received(new_id("ref")) for _ in range(3)))
    async with running(relay.run, consumer.run):
        await number(service, stored, 3)
    await service.emit(*(received(new_id("ref")) for _ in range(4)))
    async with running(relay.run):
        await number(service, unsent, 0)
    brokers.kill()
    shutil.rmtree(brokers.home / "data")
    await service.emit(received(new_id("ref")))
    brokers.start()
    async with service.db.transaction() as session:
        chosen = resending.Chosen(Topic.REFERRALS, None, None, None)
        assert len(await resending.some(session, service.outbox_tables, chosen, 0)) == 7
    async with running(relay.run, consumer.run):
        await number(service, stored, 8)
        await number(service, unsent, 0)
    assert await service.fetch("SELECT 1 FROM svc.inbox_streams WHERE parked_at IS NOT NULL") == []
    await bus.close()
