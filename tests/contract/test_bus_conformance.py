"""What every bus keeps, on real servers: PostgreSQL and Apache Kafka."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import uuid4

import pytest

from shared.contracts.base import Topic
from shared.messaging.bus import Bus, BusUnavailable, Outgoing
from tests.support.buses import BOUND, BusKind, Group, KafkaKind, PostgresKind, publish_surely
from tests.support.databases import TestServer

TOPICS = (Topic.REFERRALS, Topic.NOTICES)


@pytest.fixture(params=["postgresql", pytest.param("kafka", marks=pytest.mark.kafka)])
def kind(request: pytest.FixtureRequest) -> Iterator[BusKind]:
    if request.param == "kafka":
        yield KafkaKind(request.getfixturevalue("kafka"))
        return
    server: TestServer = request.getfixturevalue("postgres")
    if server.server is None:
        pytest.skip("HARTLINE_TEST_DSN names a server that is not ours to crash.")
    database = server.new_database()
    yield PostgresKind(server, database)
    server.drop(database)


@pytest.fixture
async def bus(kind: BusKind) -> AsyncIterator[Bus]:
    opened = kind.open()
    yield opened
    await opened.close()


@pytest.fixture
def tag() -> str:
    """What this test's records begin with, and its groups."""
    return f"{uuid4().hex}/"


def records(tag: str, keys: int, each: int, topic: Topic = Topic.REFERRALS) -> list[Outgoing]:
    """`each` records for every key, the keys interleaved; a body is tag, key and number."""
    return [
        Outgoing(topic, f"{tag}{key}", f"{tag}{key}/{number}".encode())
        for number in range(each)
        for key in range(keys)
    ]


def numbers_by_key(group: Group) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for body in group.bodies:
        _, key, number = body.decode().split("/")
        found.setdefault(key, []).append(int(number))
    return found


async def test_records_of_one_key_arrive_in_the_order_they_were_published(
    bus: Bus, tag: str
) -> None:
    publisher = await bus.publisher()
    batch = records(tag, keys=5, each=40)
    for start in range(0, len(batch), 30):
        assert all(await publisher.publish(batch[start : start + 30]))
    group = Group(f"{tag}group", TOPICS, tag)
    subscription = await group.subscribe(bus)
    await group.read(subscription, 200, limit=17)
    assert numbers_by_key(group) == {str(key): list(range(40)) for key in range(5)}
    await subscription.close()
    await publisher.close()


async def test_one_key_keeps_its_partition_in_every_process(
    kind: BusKind, bus: Bus, tag: str
) -> None:
    group = Group(f"{tag}group", TOPICS, tag)
    for _ in range(3):
        other = kind.open()
        publisher = await other.publisher()
        assert all(await publisher.publish(records(tag, keys=12, each=1)))
        await publisher.close()
        await other.close()
    subscription = await group.subscribe(bus)
    await group.read(subscription, 36)
    homes: dict[bytes, set[int]] = {}
    for record in group.stored:
        homes.setdefault(record.body or b"", set()).add(record.partition)
    assert all(len(home) == 1 for home in homes.values())
    assert len(set.union(*homes.values())) > kind.partitions / 2
    await subscription.close()


async def test_every_group_reads_every_acknowledged_record_of_its_topics(
    bus: Bus, tag: str
) -> None:
    publisher = await bus.publisher()
    referrals = records(tag, keys=10, each=5)
    notices = records(tag, keys=3, each=5, topic=Topic.NOTICES)
    groups = [
        (Group(f"{tag}both", TOPICS, tag), 65),
        (Group(f"{tag}one", (Topic.REFERRALS,), tag), 50),
        (Group(f"{tag}other", (Topic.NOTICES,), tag), 15),
    ]
    early = await groups[0][0].subscribe(bus)
    assert all(await publisher.publish(referrals + notices))
    for group, expected in groups:
        subscription = early if group.name.endswith("both") else await group.subscribe(bus)
        await group.read(subscription, expected)
        assert len(set(group.bodies) & {r.body for r in (*referrals, *notices)}) <= expected
        assert len(group.stored) == expected
        await subscription.close()
    await publisher.close()


async def test_a_fetch_ends_in_its_time_with_nothing_and_is_woken_by_a_record(
    bus: Bus, tag: str
) -> None:
    publisher = await bus.publisher()
    group = Group(f"{tag}group", (Topic.DEADLINES,), tag)
    subscription = await group.subscribe(bus)
    await publish_surely(publisher, records(tag, 1, 1, Topic.DEADLINES))
    await group.read(subscription, 1)
    began = time.monotonic()
    assert not (await subscription.fetch(10, 0.05)).records
    assert time.monotonic() - began < 0.5
    waiting = asyncio.create_task(group.read(subscription, 2))
    await asyncio.sleep(0.02)
    began = time.monotonic()
    assert all(await publisher.publish(records(tag, 1, 1, Topic.DEADLINES)))
    await waiting
    assert time.monotonic() - began < 0.5
    await subscription.close()
    await publisher.close()


async def test_a_group_resumes_after_what_it_committed(kind: BusKind, bus: Bus, tag: str) -> None:
    publisher = await bus.publisher()
    group = Group(f"{tag}group", TOPICS, tag)
    assert all(await publisher.publish(records(tag, keys=4, each=5)))
    subscription = await group.subscribe(bus)
    await group.read(subscription, 20)
    await subscription.close()

    later = records(f"{tag}later/", keys=4, each=1)
    assert all(await publisher.publish(later))
    restarted = kind.open()
    subscription = await group.subscribe(restarted)
    await group.read(subscription, 24)
    assert set(group.bodies[20:]) == {record.body for record in later}
    await subscription.close()
    await publisher.close()
    await restarted.close()


async def test_what_was_fetched_and_not_committed_is_read_again(
    kind: BusKind, bus: Bus, tag: str
) -> None:
    publisher = await bus.publisher()
    group = Group(f"{tag}group", TOPICS, tag)
    subscription = await group.subscribe(bus)
    assert all(await publisher.publish(records(tag, keys=1, each=10)))
    await group.read(subscription, 4, limit=4)
    kept = len(group.stored)
    assert kept < 10
    dropped = Group(f"{tag}group", TOPICS, tag)
    while kept + len(dropped.stored) < 10:
        dropped.keep(await subscription.fetch(100, 0.5))
    await subscription.close()

    restarted = kind.open()
    subscription = await group.subscribe(restarted)
    await group.read(subscription, 10)
    assert numbers_by_key(group) == {"0": list(range(10))}
    await subscription.close()
    await publisher.close()
    await restarted.close()


async def test_bytes_that_are_no_event_come_through_as_they_are(bus: Bus, tag: str) -> None:
    publisher = await bus.publisher()
    strange = [tag.encode(), tag.encode() + b"\x00\xff{", tag.encode() + b'{"specversion": 7}']
    assert all(await publisher.publish([Outgoing(Topic.REFERRALS, "k", body) for body in strange]))
    group = Group(f"{tag}group", TOPICS, tag)
    subscription = await group.subscribe(bus)
    await group.read(subscription, 3)
    assert group.bodies == strange
    await subscription.close()
    await publisher.close()


async def test_a_record_says_when_it_came_onto_the_bus(bus: Bus, tag: str) -> None:
    """P9: from this follows how long the oldest unread record of a topic has waited."""
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    publisher = await bus.publisher()
    assert all(await publisher.publish(records(tag, keys=1, each=1)))
    after = datetime.now(UTC)
    group = Group(f"{tag}group", TOPICS, tag)
    subscription = await group.subscribe(bus)
    await group.read(subscription, 1)
    assert group.stored[0].appended_at is not None
    assert before <= group.stored[0].appended_at <= after
    await subscription.close()
    await publisher.close()


async def test_an_empty_batch_is_acknowledged_without_asking(bus: Bus) -> None:
    publisher = await bus.publisher()
    assert list(await publisher.publish([])) == []
    await publisher.close()


async def test_concurrent_publishers_lose_nothing_to_a_reader_that_commits_as_it_goes(
    kind: BusKind, bus: Bus, tag: str
) -> None:
    group = Group(f"{tag}group", TOPICS, tag)
    subscription = await group.subscribe(bus)

    async def publish(number: int) -> None:
        other = kind.open()
        publisher = await other.publisher()
        for record in records(f"{tag}{number}-", keys=3, each=10):
            assert all(await publisher.publish([record]))
        await publisher.close()
        await other.close()

    publishing = [asyncio.create_task(publish(number)) for number in range(4)]
    await group.read(subscription, 120, limit=7)
    await asyncio.gather(*publishing)
    assert {key: sorted(set(found)) for key, found in numbers_by_key(group).items()} == {
        f"{number}-{key}": list(range(10)) for number in range(4) for key in range(3)
    }
    await subscription.close()


@pytest.mark.slow
async def test_through_a_crash_nothing_acknowledged_is_lost_and_everything_works_again(
    kind: BusKind, bus: Bus, tag: str
) -> None:
    """P1. The publisher, and the one subscribing anew, need nobody's help."""
    publisher = await bus.publisher()
    group = Group(f"{tag}group", TOPICS, tag)
    subscription = await group.subscribe(bus)
    acked = records(f"{tag}before-", keys=6, each=5)
    await publish_surely(publisher, acked)
    await group.read(subscription, 5)

    kind.crash()
    for _ in range(2):
        began = time.monotonic()
        with pytest.raises(BusUnavailable):
            await publisher.publish(records(f"{tag}during-", keys=6, each=1))
        assert time.monotonic() - began < BOUND
    began = time.monotonic()
    with pytest.raises(BusUnavailable):
        while time.monotonic() - began < 2 * BOUND:
            await group.read_once(subscription)
    assert time.monotonic() - began < 2 * BOUND
    await subscription.close()
    with pytest.raises(BusUnavailable):
        await group.subscribe(bus)
    await kind.recover()

    after = records(f"{tag}after-", keys=6, each=5)
    await publish_surely(publisher, after)
    await read_through_trouble(group, bus, {record.body for record in (*acked, *after)})
    await publisher.close()


@pytest.mark.slow
async def test_a_server_that_hangs_is_unavailable_within_a_bounded_time(
    kind: BusKind, bus: Bus, tag: str
) -> None:
    publisher = await bus.publisher()
    group = Group(f"{tag}group", TOPICS, tag)
    subscription = await group.subscribe(bus)
    await publish_surely(publisher, records(tag, keys=2, each=1))
    await group.read(subscription, 2)
    kind.hang()
    try:
        began = time.monotonic()
        with pytest.raises(BusUnavailable):
            await publisher.publish(records(f"{tag}hung-", keys=2, each=1))
        assert time.monotonic() - began < BOUND
        began = time.monotonic()
        await subscription.commit({("referrals", 0): 1})
        assert time.monotonic() - began < BOUND
        with pytest.raises(BusUnavailable):
            while time.monotonic() - began < 2 * BOUND:
                await group.read_once(subscription)
        began = time.monotonic()
        await subscription.close()
        assert time.monotonic() - began < BOUND
    finally:
        kind.resume()
    after = records(f"{tag}after-", keys=2, each=1)
    await publish_surely(publisher, after)
    await read_through_trouble(group, bus, {record.body for record in after})
    await publisher.close()


async def read_through_trouble(group: Group, bus: Bus, wanted: set[bytes]) -> None:
    """As the consumer role does: after BusUnavailable, subscribe again."""
    for _ in count():
        with suppress(BusUnavailable):
            subscription = await group.subscribe(bus)
            try:
                async with asyncio.timeout(60):
                    while not wanted <= set(group.bodies):
                        await group.read_once(subscription)
                return
            finally:
                await subscription.close()
        await asyncio.sleep(0.05)
