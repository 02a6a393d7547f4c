"""What is particular to Kafka, on a real broker: offsets, rebalances, topics."""

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import TopicPartition

from deploy.machine.kafka import KafkaBroker
from shared.contracts.base import Topic
from shared.messaging.bus import Outgoing, Subscription
from shared.messaging.kafka.bus import KafkaBus
from shared.messaging.kafka.calls import Limits
from shared.messaging.kafka.subscription import KafkaSubscription
from tests.support.buses import Group

pytestmark = pytest.mark.kafka
TOPICS = (Topic.REFERRALS, Topic.NOTICES)


@pytest.fixture
async def bus(kafka: KafkaBroker) -> AsyncIterator[KafkaBus]:
    opened = KafkaBus(kafka.bootstrap, "test")
    yield opened
    await opened.close()


@pytest.fixture
def tag() -> str:
    return f"{uuid4().hex}/"


async def publish(bus: KafkaBus, tag: str, *names: str, keys: int = 1) -> None:
    publisher = await bus.publisher()
    batch = [
        Outgoing(Topic.REFERRALS, f"{tag}{number % keys}", f"{tag}{name}".encode())
        for number, name in enumerate(names)
    ]
    assert all(await publisher.publish(batch))
    await publisher.close()


async def naive_read(kafka: KafkaBroker, tag: str, refuse: bytes) -> list[bytes]:
    """Handle a record, then commit it; one whose handling fails is not committed."""
    consumer = AIOKafkaConsumer(
        "referrals",
        bootstrap_servers=kafka.bootstrap,
        group_id=f"{tag}naive",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    handled: list[bytes] = []
    while found := await consumer.getmany(timeout_ms=1000, max_records=1):
        for partition, (record,) in found.items():
            if record.value == refuse:
                continue
            handled.append(record.value)
            await consumer.commit({partition: record.offset + 1})
    await consumer.stop()
    return handled


async def test_a_naive_consumer_passes_over_the_record_that_failed(
    kafka: KafkaBroker, bus: KafkaBus, tag: str
) -> None:
    """Not committing is not a nack: the next commit passes it. The next test is ours."""
    await publish(bus, tag, "first", "failing", "next")
    failing = f"{tag}failing".encode()
    handled = await naive_read(kafka, tag, refuse=failing)
    again = await naive_read(kafka, tag, refuse=b"")
    assert f"{tag}next".encode() in handled
    assert failing not in handled + again


async def test_a_batch_that_could_not_be_stored_is_read_again(bus: KafkaBus, tag: str) -> None:
    """Nothing is handled under an offset; and what cannot be stored ends the subscription."""
    await publish(bus, tag, "first", "failing", "next")
    group = Group(f"{tag}group", TOPICS, tag)
    subscription = await group.subscribe(bus)
    failed = Group(f"{tag}group", TOPICS, tag)
    async with asyncio.timeout(30):
        while f"{tag}failing".encode() not in failed.bodies:
            failed.keep(await subscription.fetch(2, 0.5))
    await subscription.close()
    subscription = await group.subscribe(bus)
    await group.read(subscription, 3, limit=2)
    assert group.bodies == [f"{tag}{name}".encode() for name in ("first", "failing", "next")]
    await subscription.close()


async def test_through_rebalances_the_members_of_a_group_read_everything_between_them(
    bus: KafkaBus, tag: str
) -> None:
    """Members come and go while records do; each commits partitions that it may have lost."""
    group = [Group(f"{tag}group", TOPICS, tag) for _ in range(3)]
    names = [str(number) for number in range(120)]
    first = await group[0].subscribe(bus)
    await publish(bus, tag, *names[:60], keys=30)
    await group[0].read(first, 5, limit=5)

    async def member(one: Group, subscription: Subscription, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await one.read_once(subscription, limit=5)

    stop, leave = asyncio.Event(), asyncio.Event()
    members = [asyncio.create_task(member(group[0], first, leave))]
    second = await group[1].subscribe(bus)
    members.append(asyncio.create_task(member(group[1], second, stop)))
    await publish(bus, tag, *names[60:90], keys=30)
    third = await group[2].subscribe(bus)
    members.append(asyncio.create_task(member(group[2], third, stop)))
    leave.set()
    await members[0]
    await first.close()
    await publish(bus, tag, *names[90:], keys=30)
    wanted = {f"{tag}{name}".encode() for name in names}
    async with asyncio.timeout(60):
        while not wanted <= {body for one in group for body in one.bodies}:
            await asyncio.sleep(0.02)
    stop.set()
    await asyncio.gather(*members)
    await second.close()
    await third.close()


async def test_a_member_too_many_is_given_nothing_and_is_not_taken_for_stuck(
    kafka: KafkaBroker, tag: str
) -> None:
    bus = KafkaBus(kafka.bootstrap, "test", Limits(quiet=0.1, join=5.0))
    group = [Group(f"{tag}group", (Topic.DEADLINES,), tag) for _ in range(7)]
    subscriptions = []
    for one in group:
        subscription = await one.subscribe(bus)
        assert isinstance(subscription, KafkaSubscription)
        subscriptions.append(subscription)
    async with asyncio.timeout(60):
        while any(each._membership.without_place_for() for each in subscriptions):
            await asyncio.gather(*(each.fetch(10, 0.1) for each in subscriptions))
    assert sorted(len(each._consumer.assignment()) for each in subscriptions) == [0] + [1] * 6
    for _ in range(5):
        await asyncio.gather(*(each.fetch(10, 0.1) for each in subscriptions))
    await asyncio.gather(*(each.close() for each in subscriptions))
    await bus.close()


async def test_what_a_member_that_leaves_had_is_read_by_another_within_a_heartbeat(
    bus: KafkaBus, tag: str
) -> None:
    """As in an upgrade: a stop is told to the group, and nobody's session has to run out."""
    staying, leaving = (Group(f"{tag}group", (Topic.REFERRALS,), tag) for _ in range(2))
    here, there = await staying.subscribe(bus), await leaving.subscribe(bus)
    assert isinstance(here, KafkaSubscription)
    assert isinstance(there, KafkaSubscription)
    async with asyncio.timeout(30):
        while len(here._consumer.assignment()) != 3 or len(there._consumer.assignment()) != 3:
            await asyncio.gather(here.fetch(100, 0.1), there.fetch(100, 0.1))
    names = [str(number) for number in range(24)]
    await there.close()
    began = time.monotonic()
    await publish(bus, tag, *names, keys=24)
    await staying.read(here, 24)
    assert time.monotonic() - began < Limits().session / 3
    await here.close()


async def test_a_record_without_a_value_comes_through(
    kafka: KafkaBroker, bus: KafkaBus, tag: str
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all")
    await producer.start()
    sent = await producer.send_and_wait("referrals", None, key=tag.encode())
    await producer.stop()
    subscription = await bus.subscribe(f"{tag}group", TOPICS, {})
    async with asyncio.timeout(30):
        while True:
            batch = await subscription.fetch(100, 0.5)
            found = {(each.partition, each.offset): each.body for each in batch.records}
            if (sent.partition, sent.offset) in found:
                break
    assert found[sent.partition, sent.offset] is None
    await subscription.close()


async def test_a_group_whose_offset_is_gone_begins_at_the_earliest_record(
    kafka: KafkaBroker, bus: KafkaBus, tag: str
) -> None:
    await publish(bus, tag, "a", "b")
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, group_id=f"{tag}group")
    consumer.assign([TopicPartition("referrals", partition) for partition in range(6)])
    await consumer.start()
    await consumer.commit({TopicPartition("referrals", partition): 10**9 for partition in range(6)})
    await consumer.stop()
    group = Group(f"{tag}group", TOPICS, tag)
    subscription = await group.subscribe(bus)
    await group.read(subscription, 2)
    await subscription.close()


async def test_missing_topics_are_made_with_six_partitions_and_others_are_left(
    kafka: KafkaBroker, bus: KafkaBus, tag: str
) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await admin.delete_topics(["deadlines"])
    async with asyncio.timeout(30):
        while "deadlines" in await admin.list_topics():
            await asyncio.sleep(0.02)
    group = Group(f"{tag}group", (Topic.DEADLINES,), tag)
    subscription = await group.subscribe(bus)
    described = {topic["topic"]: topic for topic in await admin.describe_topics()}
    assert {len(described[topic.value]["partitions"]) for topic in Topic} == {6}
    publisher = await bus.publisher()
    assert all(await publisher.publish([Outgoing(Topic.DEADLINES, "key", f"{tag}made".encode())]))
    await group.read(subscription, 1)
    await subscription.close()
    await publisher.close()
    await admin.close()
