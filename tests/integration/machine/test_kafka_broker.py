"""The broker that the tests and the one-machine run start is real, durable and shaped by data."""

import pytest
import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from deploy.machine.kafka import FOLDER, KafkaBroker

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


async def test_every_topic_has_the_declared_partitions(kafka: KafkaBroker) -> None:
    wanted = yaml.safe_load((FOLDER / "topics.yaml").read_text())
    client = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await client.start()
    try:
        described = await client.describe_topics(wanted["topics"])
    finally:
        await client.close()
    assert {topic["topic"]: len(topic["partitions"]) for topic in described} == dict.fromkeys(
        wanted["topics"], wanted["partitions"]
    )


async def test_what_was_acknowledged_survives_sigkill_on_the_same_port(kafka: KafkaBroker) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all") as producer:
        kept = await producer.send_and_wait("referrals", b"kept", key=b"test-sigkill")
    bootstrap = kafka.bootstrap
    kafka.kill()
    kafka.start()
    assert kafka.bootstrap == bootstrap
    place = TopicPartition("referrals", kept.partition)
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap) as consumer:
        consumer.assign([place])
        consumer.seek(place, kept.offset)
        record = await consumer.getone()
    assert record.value == b"kept"
