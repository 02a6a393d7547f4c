"""A real Kafka broker for the tests that ask for one."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.machine.kafka import KafkaBroker, KafkaUnavailable, jars


@contextmanager
def needs_kafka() -> Iterator[None]:
    """Skips where Kafka cannot run, but fails when CI=true."""
    try:
        yield
    except KafkaUnavailable as unavailable:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(unavailable))


@contextmanager
def test_broker() -> Iterator[KafkaBroker]:
    """A started broker with its topics."""
    home = Path(tempfile.mkdtemp(prefix="hartline-kafka-"))
    broker = KafkaBroker(home)
    try:
        with needs_kafka():
            broker.start()
        yield broker
        if not broker.alive:
            end = broker.log.read_text()[-2000:]
            pytest.fail(f"The Kafka broker did not live through the tests: {end}")
    finally:
        broker.stop()
        shutil.rmtree(home, ignore_errors=True)


def describe(broker: KafkaBroker) -> str:
    """Which broker this is, for the end of the test run."""
    version = next(jars().glob("kafka_2.13-*.jar")).stem.removeprefix("kafka_2.13-")
    return f"Apache Kafka {version} at {broker.bootstrap}, fetched by Maven"
