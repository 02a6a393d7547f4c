"""The outbox and the relay on a real database. P1: what was committed leaves, once or more."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from shared.contracts.notices import NoticesPlanned
from shared.messaging.bus import Outgoing
from shared.messaging.relay import LostLeadership, Relay
from shared.messaging.retention import prune_outbox
from shared.runtime.ids import new_id
from tests.integration.messaging.conftest import NOW, Service, received


@dataclass
class FakePublisher:
    """Acknowledges everything but the subjects it is told to refuse."""

    refuse: set[str] = field(default_factory=set)
    published: list[tuple[str, int]] = field(default_factory=list)

    async def publish(
        self, batch: Sequence[Outgoing], home: datetime | None = None
    ) -> Sequence[bool]:
        acks = []
        for out in batch:
            acks.append(out.key not in self.refuse)
            if acks[-1]:
                self.published.append((out.key, json.loads(out.body)["sequence"]))
        return acks

    async def close(self) -> None:
        return None


def relay(service: Service) -> Relay:
    return Relay("svc", service.db, service.dsn, service.outbox_tables, None)  # type: ignore[arg-type]


async def test_a_rollback_drops_the_event_and_leaves_no_gap(service: Service) -> None:
    subject = new_id("ref")
    with pytest.raises(ZeroDivisionError):
        async with service.db.transaction() as session:
            await service.outbox.emit(session, NOW, received(subject))
            raise ZeroDivisionError
    await service.emit(received(subject), received(subject))
    rows = await service.fetch("SELECT sequence FROM svc.outbox ORDER BY id")
    assert [row.sequence for row in rows] == [1, 2]


async def test_concurrent_emitters_number_a_subject_without_a_gap(service: Service) -> None:
    subjects = [new_id("ref") for _ in range(3)]
    await asyncio.gather(
        *(
            service.emit(*(received(s) for s in (subjects if i % 2 else reversed(subjects))))
            for i in range(20)
        )
    )
    rows = await service.fetch("SELECT subject, sequence FROM svc.outbox ORDER BY id")
    for subject in subjects:
        assert [r.sequence for r in rows if r.subject == subject] == list(range(1, 21))


async def test_an_out_of_order_commit_is_not_passed_over(service: Service) -> None:
    """A cursor over ids would pass the first row; a scan for unsent rows does not."""
    slow, fast = new_id("ref"), new_id("ref")
    publisher, relaying = FakePublisher(), relay(service)
    await relaying.elect()
    async with service.db.transaction() as session:
        await service.outbox.emit(session, NOW, received(slow))
        await service.emit(received(fast))
        assert await relaying.relay_once(publisher) == 1
    assert await relaying.relay_once(publisher) == 1
    assert publisher.published == [(fast, 1), (slow, 1)]


async def test_a_subject_stops_at_its_first_unacknowledged_event_and_others_go_on(
    service: Service,
) -> None:
    bad, good = new_id("ref"), new_id("ref")
    await service.emit(received(bad), received(good), received(bad))
    publisher, relaying = FakePublisher(refuse={bad}), relay(service)
    await relaying.elect()
    await relaying.relay_once(publisher)
    await service.emit(received(good))
    await relaying.relay_once(publisher)
    assert publisher.published == [(good, 1), (good, 2)]
    unsent = await service.fetch("SELECT subject FROM svc.outbox WHERE sent_at IS NULL")
    assert [row.subject for row in unsent] == [bad, bad]


async def test_a_zombie_relay_cannot_mark_what_it_sent(service: Service) -> None:
    subject = new_id("ref")
    await service.emit(received(subject))
    zombie, successor = relay(service), relay(service)
    await zombie.elect()
    await successor.elect()
    with pytest.raises(LostLeadership):
        await zombie.relay_once(FakePublisher())
    pending = await service.fetch("SELECT 1 FROM svc.outbox WHERE sent_at IS NULL")
    assert len(pending) == 1
    assert await successor.relay_once(FakePublisher()) == 1


async def test_pruning_keeps_what_is_unsent_and_numbers_go_on(service: Service) -> None:
    subject = new_id("ref")
    await service.emit(received(subject))
    relaying = relay(service)
    await relaying.elect()
    await relaying.relay_once(FakePublisher())
    await service.emit(received(subject))
    await service.execute("UPDATE svc.outbox SET created_at = created_at - interval '40 days'")
    assert await prune_outbox(service.db, service.outbox_tables, timedelta(days=30)) == 1
    await service.emit(received(subject))
    rows = await service.fetch("SELECT sequence FROM svc.outbox ORDER BY id")
    assert [row.sequence for row in rows] == [2, 3]


async def test_the_relay_is_woken_only_after_the_commit(service: Service) -> None:
    async with service.db.transaction() as session:
        await service.outbox.emit(session, NOW, received(new_id("ref")))
        await session.execute(text("SELECT 1"))
        assert not await service.db.wakes.wait("relay", 0.01)
    assert await service.db.wakes.wait("relay", 0.01)


@dataclass
class FakeBus:
    itself: FakePublisher = field(default_factory=FakePublisher)

    async def publisher(self) -> FakePublisher:
        return self.itself

    async def prune(self, older_than: timedelta) -> int:
        return 0


async def test_a_relay_that_is_stopped_hands_over_before_the_next_ones_poll(
    service: Service,
) -> None:
    """In an upgrade the second process leads at once, not when it asks again a second later."""
    first, second = (
        Relay("svc", service.db, service.dsn, service.outbox_tables, FakeBus())  # type: ignore[arg-type]
        for _ in range(2)
    )
    stops = asyncio.Event(), asyncio.Event()
    leading = asyncio.create_task(first.run(stops[0]))
    await _led(service, epoch=1)
    waiting = asyncio.create_task(second.run(stops[1]))
    await _asked(service, 2)
    stops[0].set()
    async with asyncio.timeout(0.5):
        await leading
        await _led(service, epoch=2)
    stops[1].set()
    await waiting


async def _led(service: Service, epoch: int) -> None:
    async with asyncio.timeout(5):
        while not await service.fetch(
            "SELECT 1 FROM svc.relay_leader WHERE epoch = :epoch", epoch=epoch
        ):
            await asyncio.sleep(0.01)


async def _asked(service: Service, relays: int) -> None:
    """So many have tried to lead."""
    tried = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = "
        "'idle' AND application_name = 'hartline leader relay svc' AND query LIKE '%try%'"
    )
    async with asyncio.timeout(5):
        while (await service.fetch(tried))[0][0] < relays:
            await asyncio.sleep(0.005)


async def test_what_tells_of_the_past_wakes_the_relay_a_little_later_and_once(
    service: Service,
) -> None:
    for _ in range(3):
        await service.emit(planned(new_id("ref")))
    assert not await service.db.wakes.wait("relay", 0.01)
    assert await service.db.wakes.wait("relay", 1.0)
    assert not await service.db.wakes.wait("relay", 0.15)
    await service.emit(planned(new_id("ref")))
    await service.emit(received(new_id("ref")))
    assert await service.db.wakes.wait("relay", 0.01)


async def test_what_tells_of_the_past_keeps_none_waiting_that_is_waited_for(
    service: Service,
) -> None:
    bus, stop = FakeBus(), asyncio.Event()
    relaying = Relay(
        "svc",
        service.db,
        service.dsn,
        service.outbox_tables,
        bus,  # type: ignore[arg-type]
        pace=3600.0,
    )
    past, first, second = (new_id("ref") for _ in range(3))
    leading = asyncio.create_task(relaying.run(stop))
    for event in (planned(past), received(first)):
        await service.emit(event)
        await _published(bus.itself, event.subject)
    await service.emit(received(second))
    with pytest.raises(TimeoutError):
        await _published(bus.itself, second, within=0.2)
    stop.set()
    await leading


async def _published(publisher: FakePublisher, subject: str, within: float = 5.0) -> None:
    async with asyncio.timeout(within):
        while (subject, 1) not in publisher.published:
            await asyncio.sleep(0.005)


async def test_only_the_mark_of_what_was_sent_does_without_the_disk(service: Service) -> None:
    await service.emit(received(new_id("ref")))
    relaying = relay(service)
    await relaying.elect()
    assert await relaying.relay_once(FakePublisher()) == 1
    assert await relaying.relay_once(FakePublisher()) == 0
    for _ in range(10):
        async with service.db.transaction() as session:
            assert await session.scalar(text("SHOW synchronous_commit")) == "on"


def planned(subject: str) -> NoticesPlanned:
    return NoticesPlanned(
        referral_id=subject,
        version=1,
        rules_version="test",
        directory_version=1,
        planned_at=NOW,
        notices=(),
    )
