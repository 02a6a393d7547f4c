"""After a restore, groups begin behind what the brokers hold of the lost time; it stays there."""

import json
from datetime import timedelta

import pytest

from deploy.machine.kafka import KafkaBroker
from deploy.topics.cluster import Refused
from deploy.topics.passing import find, number, pass_over
from deploy.topics.since import since
from shared.contracts.base import Topic
from shared.messaging.bus import Outgoing
from shared.messaging.kafka.bus import KafkaBus
from shared.messaging.kafka.security import Security
from shared.runtime.ids import new_id, utc_now
from tests.integration.messaging.conftest import record
from tests.support.buses import Group, publish_surely

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
NOBODY = Security()


async def publish(bus: KafkaBus, subject: str, *bodies: bytes) -> None:
    publisher = await bus.publisher()
    await publish_surely(publisher, [Outgoing(Topic.DEADLINES, subject, body) for body in bodies])
    await publisher.close()


async def test_a_group_begins_behind_what_was_passed_over(kafka: KafkaBroker) -> None:
    name, subject = new_id("grp"), new_id("ref")
    group, reads = Group(name, [Topic.DEADLINES], subject), {name: [Topic.DEADLINES.value]}
    bus = KafkaBus(kafka.bootstrap, "test")
    try:
        await publish(bus, subject, f"{subject} lost".encode())
        passages = await find(kafka.bootstrap, NOBODY, reads)
        await pass_over(kafka.bootstrap, NOBODY, passages)
        assert await find(kafka.bootstrap, NOBODY, reads) == []
        await publish(bus, subject, f"{subject} new".encode())
        subscription = await group.subscribe(bus)
        await group.read(subscription, 1)
        assert group.bodies == [f"{subject} new".encode()]
        await subscription.close()
    finally:
        await bus.close()


async def test_what_would_be_passed_has_a_number_and_another_has_another(
    kafka: KafkaBroker,
) -> None:
    name, subject = new_id("grp"), new_id("ref")
    reads = {name: [Topic.DEADLINES.value]}
    bus = KafkaBus(kafka.bootstrap, "test")
    try:
        await publish(bus, subject, f"{subject} lost".encode())
        first = await find(kafka.bootstrap, NOBODY, reads)
        assert number(await find(kafka.bootstrap, NOBODY, reads)) == number(first)
        await publish(bus, subject, f"{subject} later".encode())
        assert number(await find(kafka.bootstrap, NOBODY, reads)) != number(first)
    finally:
        await bus.close()


async def test_nothing_is_passed_over_while_a_member_still_runs(kafka: KafkaBroker) -> None:
    name, subject = new_id("grp"), new_id("ref")
    group, reads = Group(name, [Topic.DEADLINES], subject), {name: [Topic.DEADLINES.value]}
    bus = KafkaBus(kafka.bootstrap, "test")
    try:
        await publish(bus, subject, f"{subject} first".encode())
        subscription = await group.subscribe(bus)
        await group.read(subscription, 1)
        await publish(bus, subject, f"{subject} second".encode())
        passages = await find(kafka.bootstrap, NOBODY, reads)
        with pytest.raises(Refused, match="still runs"):
            await pass_over(kafka.bootstrap, NOBODY, passages, patience=0.5)
        await group.read(subscription, 2)
        await subscription.close()
    finally:
        await bus.close()


async def test_what_the_brokers_took_since_a_moment_is_listed_event_by_event(
    kafka: KafkaBroker,
) -> None:
    subject = new_id("ref")
    body = record(0, subject, 1).body
    assert body is not None
    bus = KafkaBus(kafka.bootstrap, "test")
    try:
        moment = utc_now()
        await publish(bus, subject, body, b"no event")
        topics = [Topic.DEADLINES.value]
        lines = [json.loads(each) async for each in since(kafka.bootstrap, NOBODY, topics, moment)]
        assert [each["sequence"] for each in lines if each.get("subject") == subject] == [1]
        assert any(each.get("unreadable") for each in lines)
        later = utc_now() + timedelta(hours=1)
        assert [each async for each in since(kafka.bootstrap, NOBODY, topics, later)] == []
    finally:
        await bus.close()
