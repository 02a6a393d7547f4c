"""Record batches that aiokafka cannot decode, on a real broker with its own disk."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import CorruptRecordException, UnsupportedCodecError
from aiokafka.structs import TopicPartition

from deploy.machine.kafka import KafkaBroker
from shared.contracts.base import Topic
from shared.messaging.bus import Incoming, Subscription
from shared.messaging.kafka.bus import KafkaBus
from tests.support.brokers import test_broker as started_broker

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
TOPIC = Topic.NOTICES


@pytest.fixture(scope="module")
def broker() -> Iterator[KafkaBroker]:
    """Not the one of the other tests: they read everything."""
    with started_broker() as started:
        yield started


PROBED = 5
CODECS = {"producer": 0, "zstd": 4}


@pytest.fixture
async def bus(broker: KafkaBroker) -> AsyncIterator[KafkaBus]:
    opened = KafkaBus(broker.bootstrap, "test")
    yield opened
    await opened.close()


async def produce(broker: KafkaBroker, partition: int, *values: bytes) -> list[int]:
    """Each value in a batch of its own; their offsets."""
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")
    await producer.start()
    sent = [await producer.send_and_wait(TOPIC, each, partition=partition) for each in values]
    await producer.stop()
    return [each.offset for each in sent]


async def compress(broker: KafkaBroker, codec: str) -> None:
    """As a topic's configuration may say: the broker compresses what comes in uncompressed.

    It answers before it does so: what is written to a partition of nobody's shows when it does.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    configs = {"compression.type": codec}
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, TOPIC, configs)])
    await admin.close()
    async with asyncio.timeout(60):
        await produce(broker, PROBED, b"probe")
        while last_codec(broker, PROBED) != CODECS[codec]:
            await produce(broker, PROBED, b"probe")


def last_codec(broker: KafkaBroker, partition: int) -> int:
    """The codec of the last batch on disk: its header says the length in bytes 8-11, and the codec
    in the lowest bits of bytes 21-22."""
    rest = (broker.home / "data" / f"{TOPIC}-{partition}" / f"{0:020d}.log").read_bytes()
    found = 0
    while len(rest) > 23 and (length := int.from_bytes(rest[8:12], "big")):
        found = rest[22] & 7
        rest = rest[12 + length :]
    return found


def on_disk(broker: KafkaBroker, partition: int, value: bytes, *, back: int, to: int) -> None:
    """Change one byte, `back` bytes before `value`, under the running broker."""
    segment = broker.home / "data" / f"{TOPIC}-{partition}" / f"{0:020d}.log"
    place = segment.read_bytes().index(value) - back
    with segment.open("r+b") as file:
        file.seek(place)
        file.write(bytes([to]))


async def naive(broker: KafkaBroker, partition: int) -> BaseException | None:
    """What aiokafka raises, the third time too: it does not get past it."""
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest")
    consumer.assign([TopicPartition(TOPIC, partition)])
    await consumer.start()
    raised: BaseException | None = None
    try:
        for _ in range(3):
            try:
                await asyncio.wait_for(consumer.getmany(timeout_ms=1000), 5)
            except Exception as error:
                raised = error
            else:
                raised = None
    finally:
        await consumer.stop()
    return raised


async def read(
    subscription: Subscription, wanted: bytes, among: Sequence[int]
) -> dict[tuple[int, int], Incoming]:
    """As the consumer does, until `wanted` has come; what came, by partition and offset."""
    found: dict[tuple[int, int], Incoming] = {}
    async with asyncio.timeout(60):
        while wanted not in [each.body for each in found.values()]:
            batch = await subscription.fetch(500, 0.5)
            found |= {(each.partition, each.offset): each for each in batch.records}
            await subscription.commit(batch.next_offsets)
    return {key: each for key, each in found.items() if key[0] in among}


async def test_a_batch_in_a_codec_that_we_lack_is_marked_and_the_next_one_read(
    broker: KafkaBroker, bus: KafkaBus
) -> None:
    group = uuid4().hex
    before = await produce(broker, 0, b"before")
    await compress(broker, "zstd")
    damaged = await produce(broker, 0, b"one", b"two")
    await compress(broker, "producer")
    await produce(broker, 0, b"behind")
    await produce(broker, 1, b"elsewhere")
    assert isinstance(await naive(broker, 0), UnsupportedCodecError)

    subscription = await bus.subscribe(group, [TOPIC], {})
    found = await read(subscription, b"behind", [0])
    assert found[0, before[0]].body == b"before"
    assert {found[0, offset].damage for offset in damaged} == {"UnsupportedCodecError"}
    assert {found[0, offset].body for offset in damaged} == {None}
    await produce(broker, 0, b"later")
    assert all(each.damage is None for each in (await read(subscription, b"later", [0])).values())
    await subscription.close()

    await produce(broker, 0, b"another day")
    again = await bus.subscribe(group, [TOPIC], {})
    assert len(await read(again, b"another day", [0])) == 1
    await again.close()


async def test_a_batch_that_rotted_on_the_brokers_disk_is_marked_and_the_next_one_read(
    broker: KafkaBroker, bus: KafkaBus
) -> None:
    offsets = await produce(broker, 2, b"sound", b"rotten", b"sound again")
    on_disk(broker, 2, b"rotten", back=0, to=ord("c"))
    assert isinstance(await naive(broker, 2), CorruptRecordException)
    subscription = await bus.subscribe(uuid4().hex, [TOPIC], {})
    found = await read(subscription, b"sound again", [2])
    assert [found[2, offset].body for offset in offsets] == [b"sound", None, b"sound again"]
    assert found[2, offsets[1]].damage == "InvalidChecksum"
    await subscription.close()


async def test_where_the_end_of_a_batch_is_lost_its_partition_waits_and_the_others_do_not(
    broker: KafkaBroker, bus: KafkaBus
) -> None:
    """What the broker cannot find we cannot pass: good records may lie behind. A person is told,
    and nothing is committed, so that a mended broker gives everything."""
    offsets = await produce(broker, 3, b"whole", b"framed wrong", b"hidden")
    length = 61 + 6 - 8  # from the value back, past the record's and the batch's header
    on_disk(broker, 3, b"framed wrong", back=length, to=0x40)
    group = uuid4().hex
    subscription = await bus.subscribe(group, [TOPIC], {})
    await produce(broker, 4, b"of others")
    found = await read(subscription, b"of others", [3, 4])
    async with asyncio.timeout(60):
        while (3, offsets[1]) not in found:
            batch = await subscription.fetch(500, 0.5)
            found |= {(each.partition, each.offset): each for each in batch.records}
            await subscription.commit(batch.next_offsets)
    assert found[3, offsets[1]].damage is not None
    assert (3, offsets[2]) not in found
    await produce(broker, 4, b"and more")
    await read(subscription, b"and more", [4])
    await subscription.close()
    on_disk(broker, 3, b"framed wrong", back=length, to=0)
    mended = await bus.subscribe(group, [TOPIC], {})
    found = await read(mended, b"hidden", [3])
    assert found[3, offsets[1]].body == b"framed wrong"
    await mended.close()
