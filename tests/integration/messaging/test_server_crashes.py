"""The server dies with its log unwritten, as by a power cut: what was hasty comes again, and what
left the server was on its disk."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from deploy.machine.postgres import PostgresServer
from shared.contracts.base import Topic
from shared.messaging.bus import Batch, BusUnavailable, Incoming, Outgoing, Positions, Publisher
from shared.messaging.consumer import Consumer
from shared.messaging.postgres import models
from shared.messaging.postgres.bus import PostgresBus
from shared.messaging.relay import Relay
from shared.messaging.streams import Claimed
from shared.runtime.ids import new_id
from tests.integration.messaging.conftest import (
    NOW,
    Service,
    make_tables,
    received,
    record,
    service_on,
)
from tests.integration.messaging.test_messaging_races import OneBatch

pytestmark = pytest.mark.slow


@contextmanager
def forgetful_server() -> Iterator[PostgresServer]:
    """What does not wait for the disk stays off it until something else waits, or 10 seconds."""
    home = Path(tempfile.mkdtemp(prefix="hartline-crash-", dir="/tmp"))
    home.chmod(0o711)
    server = PostgresServer(home, {"wal_writer_delay": "10s"})
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with forgetful_server() as server:
        yield server


@pytest.fixture
async def crashing(server: PostgresServer) -> AsyncIterator[Service]:
    await ask(server, "DROP DATABASE IF EXISTS crashing WITH (FORCE)", "postgres")
    await ask(server, "CREATE DATABASE crashing", "postgres")
    async with service_on(server.superuser_dsn("crashing")) as service:
        await make_tables(service.db, models.metadata)
        yield service


def crash(server: PostgresServer) -> None:
    server.kill()
    server.start()


async def ask(server: PostgresServer, sql: str, database: str = "crashing") -> list[Any]:
    """The first column, over a connection of its own."""
    connection = await asyncpg.connect(server.superuser_dsn(database))
    try:
        return [row[0] for row in await connection.fetch(sql)]
    finally:
        await connection.close()


def relay_of(service: Service, bus: PostgresBus) -> Relay:
    return Relay("svc", service.db, service.dsn, service.outbox_tables, bus)


async def emit_in_haste(service: Service, subject: str) -> None:
    async with service.db.transaction(durable=False) as session:
        await service.outbox.emit(session, NOW, received(subject))


class Told:
    """A subscription with one batch: told how far its group is, it crashes the group's server."""

    def __init__(self, server: PostgresServer, batch: Batch) -> None:
        self._server = server
        self._batch = batch

    async def fetch(self, limit: int, wait: float) -> Batch:
        return self._batch

    async def commit(self, next_offsets: Positions) -> None:
        crash(self._server)

    async def close(self) -> None: ...


async def test_the_test_server_forgets_what_did_not_wait(
    crashing: Service, server: PostgresServer
) -> None:
    """Else the tests below would prove nothing."""
    subject = new_id("ref")
    await emit_in_haste(crashing, subject)
    crash(server)
    assert await ask(server, "SELECT subject FROM svc.outbox") == []


async def test_p1_a_bus_hears_of_our_position_once_the_inbox_is_on_disk(
    crashing: Service, server: PostgresServer
) -> None:
    subject = new_id("ref")
    batch = Batch([record(0, subject, 1)], {("referrals", 0): 1})
    consumer = Consumer("svc", crashing.db, crashing.inbox_tables, None, (Topic.REFERRALS,))  # type: ignore[arg-type]
    await consumer.consume_once(Told(server, batch))
    assert await ask(server, "SELECT subject FROM svc.inbox") == [subject]


async def test_p1_an_event_beside_its_outbox_is_on_the_bus_or_still_to_be_sent(
    crashing: Service, server: PostgresServer
) -> None:
    subjects = [new_id("ref") for _ in range(3)]
    bus = PostgresBus(crashing.dsn, "test")
    relay, publisher = relay_of(crashing, bus), await bus.publisher()
    await relay.elect()
    await crashing.emit(*map(received, subjects))
    await relay.relay_once(publisher)
    crash(server)
    on_bus = await ask(server, "SELECT key FROM bus.log")
    to_send = await ask(server, "SELECT subject FROM svc.outbox WHERE sent_at IS NULL")
    assert set(on_bus) | set(to_send) == set(subjects)
    assert to_send, "the append waited for the disk"
    await publisher.close()
    await relay_once_again(crashing, bus)
    assert set(await ask(server, "SELECT key FROM bus.log")) == set(subjects)
    await bus.close()


async def relay_once_again(service: Service, bus: PostgresBus) -> None:
    """A new leader, as whoever lost the server becomes one."""
    relay, publisher = relay_of(service, bus), await bus.publisher()
    await relay.elect()
    await relay.relay_once(publisher)
    await publisher.close()


async def test_p1_a_crash_between_append_and_mark_marks_nothing(
    crashing: Service, server: PostgresServer
) -> None:
    """The server is up again before the mark, and nobody else was elected meanwhile."""
    subject = new_id("ref")
    bus = PostgresBus(crashing.dsn, "test")
    relay, publisher = relay_of(crashing, bus), await bus.publisher()
    await relay.elect()
    await crashing.emit(received(subject))
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await relay.relay_once(ThenCrash(publisher, server))
    assert await ask(server, "SELECT key FROM bus.log") == []
    assert await ask(server, "SELECT sent_at FROM svc.outbox") == [None]
    await publisher.close()
    await bus.close()


class ThenCrash:
    """A publisher whose server crashes once it has answered, and is up again before we look."""

    def __init__(self, publisher: Publisher, server: PostgresServer) -> None:
        self._publisher = publisher
        self._server = server

    async def publish(
        self, batch: Sequence[Outgoing], home: datetime | None = None
    ) -> Sequence[bool]:
        acks = await self._publisher.publish(batch, home)
        crash(self._server)
        return acks

    async def close(self) -> None: ...


async def test_p1_a_crash_between_taking_a_batch_and_the_disk_fails_the_consumer(
    crashing: Service, server: PostgresServer
) -> None:
    """Otherwise the subscription, which has moved on, would never bring the batch again."""
    batch = Batch([record(0, new_id("ref"), 1)], {("referrals", 0): 1})
    consumer = Consumer(
        "svc",
        crashing.db,
        crashing.inbox_tables,
        None,  # type: ignore[arg-type]
        (Topic.REFERRALS,),
        hands=CrashingHands(server),
    )
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await consumer.consume_once(Told(server, batch))
    assert await ask(server, "SELECT subject FROM svc.inbox") == []


class CrashingHands:
    """A worker whose server crashes, and is up again, when it is handed what was taken."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    def owner_for(self, streams: int) -> int | None:
        return 1

    def take(self, claimed: Sequence[Claimed]) -> None:
        crash(self._server)

    def disown(self, token: str) -> None: ...


async def test_p1_a_subscription_does_not_outlive_the_server_that_forgot_what_it_read(
    crashing: Service, server: PostgresServer
) -> None:
    """Its place may be another record's by then: who opens a new one begins where the bus is."""
    bus = PostgresBus(crashing.dsn, "test")
    subscription = await bus.subscribe("svc", [Topic.REFERRALS], {})
    await emit_in_haste_on_the_bus(crashing, "lost")
    assert [each.offset for each in (await subscription.fetch(10, 1)).records] == [0]
    crash(server)
    await emit_in_haste_on_the_bus(crashing, "another")
    for _ in range(2):
        with pytest.raises(BusUnavailable):
            await subscription.fetch(10, 1)
    await subscription.close()
    again = await bus.subscribe("svc", [Topic.REFERRALS], {("referrals", 0): 1})
    assert [each.body for each in (await again.fetch(10, 1)).records] == [b"another"]
    await again.close()
    await bus.close()


async def emit_in_haste_on_the_bus(service: Service, body: str) -> None:
    await up_again(service)
    ((started,),) = await service.fetch("SELECT pg_postmaster_start_time()")
    bus = PostgresBus(service.dsn, "writer")
    publisher = await bus.publisher()
    await publisher.publish([Outgoing(Topic.REFERRALS, "k", body.encode())], started)
    await publisher.close()
    await bus.close()


async def test_p1_a_bus_on_another_server_waits_for_its_own_disk(crashing: Service) -> None:
    subject = new_id("ref")
    with forgetful_server() as other:
        async with service_on(other.superuser_dsn()) as stranger:
            await make_tables(stranger.db, models.metadata)
            bus = PostgresBus(stranger.dsn, "test")
            publisher = await bus.publisher()
            relay = relay_of(crashing, bus)
            await relay.elect()
            await crashing.emit(received(subject))
            await relay.relay_once(publisher)
            crash(other)
            assert await ask(other, "SELECT key FROM bus.log", "postgres") == [subject]
            await publisher.close()
            await bus.close()


async def test_p1_who_had_an_event_that_the_bus_forgot_knows_it_again(
    crashing: Service, server: PostgresServer
) -> None:
    """A consumer on another server than the bus and its emitter: no fork, and nothing twice."""
    subject = new_id("ref")
    with forgetful_server() as other:
        async with service_on(other.superuser_dsn()) as reader:
            bus = PostgresBus(crashing.dsn, "test")
            await crashing.emit(received(subject))
            await relayed(crashing, bus)
            assert await consumed(reader, bus) == 1
            crash(server)
            assert await ask(server, "SELECT key FROM bus.log") == []
            await relayed(crashing, bus)
            assert await consumed(reader, bus) == 0
            await knows_once(reader, subject)
            await bus.close()


async def test_p1_a_record_that_was_forgotten_between_fetching_and_taking_is_no_fork(
    crashing: Service, server: PostgresServer
) -> None:
    subject, bus = new_id("ref"), PostgresBus(crashing.dsn, "test")
    await crashing.emit(received(subject))
    await relayed(crashing, bus)
    subscription = await bus.subscribe("svc", [Topic.REFERRALS], {})
    batch = await subscription.fetch(10, 1)
    crash(server)
    consumer = Consumer("svc", crashing.db, crashing.inbox_tables, bus, (Topic.REFERRALS,))
    await up_again(crashing)
    assert await consumer.consume_once(OneBatch(batch)) == 1
    await relayed(crashing, bus)
    assert await consumed(crashing, bus) == 0
    await knows_once(crashing, subject)
    await subscription.close()
    await bus.close()


async def up_again(service: Service) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                await service.fetch("SELECT 1")
                return
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                await asyncio.sleep(0.1)


async def relayed(service: Service, bus: PostgresBus) -> None:
    await up_again(service)
    await relay_once_again(service, bus)


async def consumed(service: Service, bus: PostgresBus) -> int:
    """One batch, by a new subscription; how many events were new."""
    consumer = Consumer("svc", service.db, service.inbox_tables, bus, (Topic.REFERRALS,))
    async with service.db.transaction() as session:
        stored = await service.inbox.positions(session)
    subscription = await bus.subscribe("svc", [Topic.REFERRALS], stored)
    new = await consumer.consume_once(subscription)
    await subscription.close()
    return new


async def knows_once(service: Service, subject: str) -> None:
    assert [row.subject for row in await service.fetch("SELECT subject FROM svc.inbox")] == [
        subject
    ]
    assert await service.fetch("SELECT 1 FROM svc.inbox_streams WHERE parked_at IS NOT NULL") == []
    assert await service.fetch("SELECT 1 FROM svc.inbox_quarantine") == []


async def test_a_place_given_out_twice_hides_nothing_in_the_quarantine(crashing: Service) -> None:
    """The first was released, and forgotten by the bus, which will be given it again."""
    for body in (b"unreadable", b"another, unreadable"):
        await crashing.receive(Incoming("referrals", 0, 0, body))
        await crashing.receive(Incoming("referrals", 0, 0, body))
        rows = await crashing.fetch("SELECT length, released_at FROM svc.inbox_quarantine")
        assert [tuple(row) for row in rows] == [(len(body), None)]
        await crashing.execute("UPDATE svc.inbox_quarantine SET released_at = now()")
        await crashing.receive(Incoming("referrals", 0, 0, body))
        rows = await crashing.fetch("SELECT released_at IS NULL AS open FROM svc.inbox_quarantine")
        assert [row.open for row in rows] == [False]
