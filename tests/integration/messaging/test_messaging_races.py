"""Races between receiving, claiming and relaying; each of these was lost once."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from shared.contracts.base import Event, EventData
from shared.messaging import worker as worker_module
from shared.messaging.arrivals import Arrivals
from shared.messaging.bus import Batch
from shared.messaging.consumer import Consumer
from shared.messaging.inbox import Inbox
from shared.messaging.relay import Relay
from shared.messaging.streams import new_token
from shared.runtime.db import Session, unavailable
from shared.runtime.ids import new_id
from tests.integration.messaging.conftest import Recorder, Service, received, record
from tests.integration.messaging.test_messaging_inbox_worker import until, until_row
from tests.integration.messaging.test_messaging_outbox_relay import FakePublisher


@dataclass
class Slow(Recorder):
    begun: int = 0
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def prepare(self, event: Event, data: EventData) -> Any:
        self.begun += 1
        await self.go_on.wait()
        return await super().prepare(event, data)


async def test_a_worker_that_claimed_while_it_was_handed_more_goes_on(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both look at how much room there is before either has taken it."""
    monkeypatch.setattr(worker_module, "_IN_FLIGHT", 4)
    slow = service.recorder = Slow()
    worker, stop = service.worker(), asyncio.Event()
    task = asyncio.create_task(worker.run(stop))
    await until(lambda: worker.owner_for(3) is not None)
    owner = worker.owner_for(3)
    await service.receive(*(record(n, new_id("ref"), 1) for n in range(4)))
    service.db.wakes.wake("work")
    await until(lambda: slow.begun == 4)
    more = [record(n, new_id("ref"), 1) for n in range(4, 7)]
    async with service.db.connection() as session:
        taken = await Arrivals(service.inbox_tables).take(
            session, Batch(more, {("referrals", 0): 7}), lambda _: owner, new_token()
        )
    assert taken is not None
    worker.take(taken[0])
    service.db.wakes.wake("work")
    await asyncio.sleep(0.3)
    if task.done():
        await task
    slow.go_on.set()
    await until(lambda: len(slow.applied) == 7)
    stop.set()
    service.db.wakes.wake("work")
    await asyncio.wait_for(task, 10)


class Halting(Inbox):
    """Pauses between its rows and its streams, as any process may."""

    inserted = asyncio.Event()
    go_on = asyncio.Event()

    async def _touch_streams(self, session: Session, events: Any) -> None:
        self.inserted.set()
        await self.go_on.wait()
        await super()._touch_streams(session, events)


async def test_two_ways_in_do_not_wait_for_each_other_in_a_circle(service: Service) -> None:
    """A rebalance: one consumer takes the usual way, another, with a duplicate, the other."""
    inbox = Halting(service.inbox_tables)
    Halting.inserted, Halting.go_on = asyncio.Event(), asyncio.Event()
    event = record(0, new_id("ref"), 1)
    batch = Batch([event], {("referrals", 0): 1})

    async def usual() -> Any:
        async with service.db.connection() as session:
            return await Arrivals(service.inbox_tables).take(
                session, batch, lambda _: None, new_token()
            )

    async def unusual() -> Any:
        async with service.db.transaction() as session:
            return await inbox.receive(session, batch)

    one = asyncio.create_task(unusual())
    await Halting.inserted.wait()
    other = asyncio.create_task(usual())
    await asyncio.sleep(0.3)
    Halting.go_on.set()
    assert (await one).new == 1
    assert await other is None


async def test_a_value_that_cannot_be_sent_is_no_outage(service: Service) -> None:
    with pytest.raises(asyncpg.DataError) as caught:
        await service.db.execute(text("SELECT CAST(:n AS integer)"), {"n": 2**40})

    assert not unavailable(caught.value)


async def test_a_value_that_is_missing_is_refused(service: Service) -> None:
    with pytest.raises(KeyError):
        await service.db.execute(text("SELECT CAST(:n AS integer)"), {"m": 1})


@pytest.mark.parametrize("value", [3, 4])
async def test_a_value_written_into_a_text_is_its_own(service: Service, value: int) -> None:
    rows = await service.db.execute(text("SELECT CAST(:own AS integer)").bindparams(own=value))
    assert rows.scalars() == [value]


@dataclass
class NeverIdle(FakePublisher):
    """While it publishes, another event is emitted."""

    service: Any = None

    async def publish(self, batch: Any, home: Any = None) -> Any:
        await self.service.emit(received(new_id("ref")))
        return await super().publish(batch)


class Leading:
    leading = True


class OneBus:
    def __init__(self, publisher: FakePublisher) -> None:
        self._publisher = publisher

    async def publisher(self) -> FakePublisher:
        return self._publisher

    async def prune(self, older_than: Any) -> int:
        return 0


async def test_a_held_subject_is_tried_again_while_others_never_stop(service: Service) -> None:
    held = new_id("ref")
    publisher = NeverIdle(refuse={held}, service=service)
    bus: Any = OneBus(publisher)
    relaying, stop = Relay("svc", service.db, service.dsn, service.outbox_tables, bus), None
    await relaying.elect()
    await service.emit(received(held))
    stop = asyncio.Event()
    leading: Any = Leading()
    task = asyncio.create_task(relaying._lead(leading, stop))
    await until(lambda: len(publisher.published) > 3)
    publisher.refuse.clear()
    try:
        await until(lambda: (held, 1) in publisher.published)
    finally:
        stop.set()
        await task


class OneBatch:
    """A subscription that has been handed one batch."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    async def fetch(self, limit: int, wait: float) -> Batch:
        return self._batch

    async def commit(self, next_offsets: Any) -> None: ...

    async def close(self) -> None: ...


async def test_a_lease_whose_commit_nobody_heard_of_is_not_waited_for(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is lost after the server committed: read again, it is a duplicate."""
    worker, stop = service.worker(), asyncio.Event()
    task = asyncio.create_task(worker.run(stop))
    await until(lambda: worker.owner_for(1) is not None)
    take = Arrivals.take

    async def cut(*given: Any) -> Any:
        await take(*given)
        monkeypatch.setattr(Arrivals, "take", take)
        raise asyncpg.ConnectionDoesNotExistError("connection was closed")

    monkeypatch.setattr(Arrivals, "take", cut)
    bus: Any = None
    consumer = Consumer("svc", service.db, service.inbox_tables, bus, (), hands=worker)
    subscription: Any = OneBatch(Batch([record(0, new_id("ref"), 1)], {("referrals", 0): 1}))
    with pytest.raises(asyncpg.ConnectionDoesNotExistError):
        await consumer.consume_once(subscription)
    await until_row(service, "lease_owner IS NOT NULL OR cursor = 1")
    assert await consumer.consume_once(subscription) == 0
    await until(lambda: len(service.recorder.applied) == 1)
    stop.set()
    service.db.wakes.wake("work")
    await asyncio.wait_for(task, 10)
