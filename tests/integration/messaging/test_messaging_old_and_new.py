"""Events older and newer than their consumer, through the real inbox, on both buses (P1)."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from shared.contracts.base import Topic
from shared.contracts.registry import BY_TYPE, EMITTERS, EVENTS
from shared.messaging.bus import Bus, Outgoing
from shared.messaging.consumer import Consumer
from shared.messaging.worker import Worker
from tests.integration.messaging.conftest import Recorder, Service
from tests.support.buses import KafkaKind, PostgresKind, publish_surely
from tests.support.databases import FreshDatabase, TestServer

OLDEST = Path(__file__).parents[2] / "contract" / "oldest"


@pytest.fixture(params=["postgresql", pytest.param("kafka", marks=pytest.mark.kafka)])
async def bus(
    request: pytest.FixtureRequest, postgres: TestServer, database: FreshDatabase
) -> AsyncIterator[Bus]:
    if request.param == "kafka":
        opened = KafkaKind(request.getfixturevalue("kafka")).open()
    elif postgres.server is None:
        pytest.skip("HARTLINE_TEST_DSN names a server that is not ours.")
    else:
        opened = PostgresKind(postgres, database).open()
    yield opened
    await opened.close()


def oldest(type_: str) -> dict[str, object]:
    found: dict[str, object] = json.loads((OLDEST / f"{type_}.json").read_text())
    return found


class Streams:
    """Events of one subject per topic and source, counted without a gap."""

    def __init__(self) -> None:
        self.subject = f"test/{uuid4().hex}"
        self.bodies: list[Outgoing] = []
        self._last: dict[tuple[Topic, object], int] = {}

    def add(self, topic: Topic, event: dict[str, object]) -> int:
        """Its sequence."""
        key = topic, event["source"]
        self._last[key] = sequence = self._last.get(key, 0) + 1
        own = {"subject": self.subject, "sequence": sequence, "id": uuid4().hex}
        self.bodies.append(Outgoing(topic, self.subject, json.dumps(event | own).encode()))
        return sequence


async def through(service: Service, bus: Bus, streams: Streams) -> Recorder:
    """Publish, receive and work through all of it; whatever the consumer knows is recorded."""
    publisher = await bus.publisher()
    await publish_surely(publisher, streams.bodies)
    await publisher.close()
    recorder, stop = Recorder(), asyncio.Event()
    handlers = dict.fromkeys(EVENTS, recorder)
    worker = Worker("svc", service.db, service.dsn, service.inbox_tables, handlers)
    group = f"svc-{uuid4().hex}"
    consumer = Consumer(group, service.db, service.inbox_tables, bus, tuple(Topic), hands=worker)
    tasks = [asyncio.create_task(role(stop)) for role in (consumer.run, worker.run)]
    try:
        async with asyncio.timeout(60):
            while await _unfinished(service, streams) > 0:
                await asyncio.sleep(0.05)
    finally:
        stop.set()
        await asyncio.wait(tasks, timeout=20)
    return recorder


async def _unfinished(service: Service, streams: Streams) -> int:
    (row,) = await service.fetch(
        "SELECT coalesce(sum(cursor), 0) AS done FROM svc.inbox_streams WHERE subject = :subject",
        subject=streams.subject,
    )
    return len(streams.bodies) - int(row.done)


async def _nothing_is_stuck(service: Service, streams: Streams) -> None:
    """Of ours: a broker may hold the records of other tests, which nobody can read."""
    stuck = await service.fetch(
        "SELECT 1 FROM svc.inbox_streams WHERE subject = :subject "
        "AND (parked_at IS NOT NULL OR ready_at IS NOT NULL)",
        subject=streams.subject,
    )
    kept = await service.fetch(
        "SELECT 1 FROM svc.inbox WHERE subject = :subject", subject=streams.subject
    )
    assert (len(stuck), len(kept)) == (0, len(streams.bodies))


async def test_p1_every_event_of_the_oldest_shape_is_handled_today(
    service: Service, bus: Bus
) -> None:
    streams = Streams()
    for type_, model in BY_TYPE.items():
        streams.add(model.topic, oldest(type_))
    recorder = await through(service, bus, streams)
    assert len([each for each in recorder.applied if each[0] == streams.subject]) == len(BY_TYPE)
    await _nothing_is_stuck(service, streams)


async def test_p1_an_event_with_fields_of_a_later_release_is_handled_as_if_without(
    service: Service, bus: Bus
) -> None:
    streams = Streams()
    for type_, model in BY_TYPE.items():
        event = oldest(type_)
        data = event["data"]
        assert isinstance(data, dict)
        newer = data | {"added_later": {"deep": [1, None]}}
        streams.add(model.topic, event | {"data": newer, "addedlater": "x", "traceparent": "y"})
    recorder = await through(service, bus, streams)
    assert len([each for each in recorder.applied if each[0] == streams.subject]) == len(BY_TYPE)
    await _nothing_is_stuck(service, streams)


async def test_p1_a_type_of_a_later_release_holds_up_nothing_behind_it(
    service: Service, bus: Bus
) -> None:
    """Neither parked nor quarantined; what comes before and after it on its subject is handled."""
    streams, known = Streams(), set()
    for type_, model in BY_TYPE.items():
        event = oldest(type_)
        for later in (type_.replace(".v1", ".v2"), "hartline.something.unheard_of.v1"):
            streams.add(model.topic, event | {"type": later, "data": {"shape": "of its own"}})
        known.add((event["source"], model.topic, streams.add(model.topic, event)))
    recorder = await through(service, bus, streams)
    applied = [each for each in recorder.applied if each[0] == streams.subject]
    assert len(applied) == len(known) == len(BY_TYPE)
    assert {source for _, source, _ in applied} == {
        source.value for sources in EMITTERS.values() for source in sources
    }
    await _nothing_is_stuck(service, streams)
