"""A handler that waits for nothing: its events need no task; what fails holds up only itself."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared.contracts.base import Event, EventData
from shared.messaging import worker as worker_module
from shared.messaging.handler import AtOnce, BatchHandler
from shared.messaging.worker import Worker
from shared.runtime.db import Session
from shared.runtime.errors import Permanent, Retryable
from shared.runtime.ids import new_id
from tests.integration.messaging.conftest import Recorder, Service, record
from tests.integration.messaging.test_messaging_inbox_worker import until, until_row, working
from tests.integration.messaging.test_traced_events import traced
from tests.support.collector import in_memory


@dataclass
class Quick(AtOnce, Recorder):
    """Writes down in which task it was asked."""

    asked_in: set[str] = field(default_factory=set)

    def material(self, event: Event, data: EventData) -> Any:
        task = asyncio.current_task()
        self.asked_in.add(task.get_name() if task is not None else "")
        if event.subject in self.fail:
            raise self.fail[event.subject]
        return event.id


class QuickBatches(Quick, BatchHandler):
    takes_runs = True

    async def apply_all(self, session: Session, batch: Any) -> None:
        for event, data, material in batch:
            await self.apply(session, event, data, material)


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A subject for every task that the worker begins to prepare one of its events in."""
    begun: list[str] = []
    prepare = Worker._prepare

    def noted(self: Worker, claimed: Any) -> Any:
        begun.append(claimed.subject)
        return prepare(self, claimed)

    monkeypatch.setattr(Worker, "_prepare", noted)
    return begun


async def parked(service: Service) -> dict[str, str]:
    rows = await service.fetch(
        "SELECT subject, parked_reason FROM svc.inbox_streams WHERE parked_at IS NOT NULL"
    )
    return {row.subject: row.parked_reason for row in rows}


@pytest.mark.parametrize("kind", [Quick, QuickBatches])
async def test_what_waits_for_nothing_is_handled_in_order_and_without_tasks(
    service: Service, kind: type[Quick], tasks: list[str]
) -> None:
    quick = service.recorder = kind()
    subjects = [new_id("ref") for _ in range(5)]
    await service.receive(
        *(record(n, subject, 1) for n, subject in enumerate(subjects)),
        *(record(5 + n, subject, 2) for n, subject in enumerate(subjects)),
    )
    async with working(service):
        await until(lambda: len(quick.applied) == 10)
    for subject in subjects:
        assert [n for each, _, n in quick.applied if each == subject] == [1, 2]
    assert tasks == []
    assert len(quick.asked_in) == 1


async def test_what_fails_at_once_parks_its_own_subject_only(
    service: Service, tasks: list[str]
) -> None:
    quick = service.recorder = Quick()
    good, malformed, poisoned = new_id("ref"), new_id("ref"), new_id("ref")
    quick.fail[poisoned] = Permanent("poisoned")
    await service.receive(
        record(0, malformed, 1, data={"referral_id": "nobody"}),
        record(1, poisoned, 1),
        record(2, good, 1),
        record(3, malformed, 2),
    )
    async with working(service):
        await until(lambda: len(quick.applied) == 1)
        async with asyncio.timeout(10):
            while len(await parked(service)) < 2:
                await asyncio.sleep(0.01)
    assert await parked(service) == {malformed: "ValidationError", poisoned: "Permanent"}
    assert [subject for subject, _, _ in quick.applied] == [good]
    assert sorted(tasks) == sorted([malformed, poisoned])


@pytest.mark.parametrize("kind", [Recorder, Quick])
async def test_what_nobody_here_handles_holds_up_nothing_whatever_it_says(
    service: Service, kind: type[Recorder]
) -> None:
    """Neither by itself nor within a run. Whoever does handle it is the one that it may stop."""
    recorder = service.recorder = kind()
    subject = new_id("ref")
    await service.receive(
        record(0, subject, 1, type_="hartline.referral.withdrawn.v1", data={"no": "withdrawal"}),
        record(1, subject, 2),
        record(2, new_id("ref"), 1, type_="hartline.referral.withdrawn.v1", data={}),
    )
    async with working(service):
        await until(lambda: len(recorder.applied) == 1)
        await until_row(service, "subject <> :subject AND cursor = 1", subject=subject)
    assert [(each, n) for each, _, n in recorder.applied] == [(subject, 2)]
    assert await parked(service) == {}


async def test_of_a_run_whose_second_event_fails_the_first_is_handled(service: Service) -> None:
    quick = service.recorder = Quick()
    subject = new_id("ref")
    await service.receive(record(0, subject, 1), record(1, subject, 2, data={"referral_id": "no"}))
    async with working(service):
        await until(lambda: len(quick.applied) == 1)
        async with asyncio.timeout(10):
            while not await parked(service):
                await asyncio.sleep(0.01)
    assert [(each, n) for each, _, n in quick.applied] == [(subject, 1)]
    assert await parked(service) == {subject: "ValidationError"}


async def test_what_fails_for_now_is_tried_again(service: Service) -> None:
    quick = service.recorder = Quick()
    subject = new_id("ref")
    quick.fail[subject] = Retryable("not now")
    await service.receive(record(0, subject, 1))
    async with working(service):
        async with asyncio.timeout(10):
            while not await service.fetch("SELECT 1 FROM svc.inbox_streams WHERE failures > 0"):
                await asyncio.sleep(0.01)
        del quick.fail[subject]
        await until(lambda: len(quick.applied) == 1)


async def test_what_is_traced_is_a_span_though_it_waits_for_nothing(
    service: Service, tasks: list[str]
) -> None:
    quick = service.recorder = Quick()
    followed, other = new_id("ref"), new_id("ref")
    with in_memory() as exported:
        await service.receive(traced(record(0, followed, 1)), record(1, other, 1))
        async with working(service):
            await until(lambda: len(quick.applied) == 2)
        assert [span.name for span in exported()] == ["handle hartline.referral.received.v1"]
    assert tasks == [followed], "what is not traced needs no task beside it"


async def test_where_nothing_is_traced_an_event_that_carries_a_trace_needs_no_task_either(
    service: Service, tasks: list[str]
) -> None:
    quick = service.recorder = Quick()
    await service.receive(traced(record(0, new_id("ref"), 1)))
    async with working(service):
        await until(lambda: len(quick.applied) == 1)
    assert tasks == []


@dataclass
class Held(Quick):
    """Commits nothing before it may."""

    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def apply(self, session: Session, event: Event, data: EventData, material: Any) -> None:
        await self.go_on.wait()
        await super().apply(session, event, data, material)


async def test_what_is_ready_at_once_and_not_committed_is_in_flight(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more of it is leased than fits, and a worker that is stopped finishes it."""
    monkeypatch.setattr(worker_module, "_IN_FLIGHT", 4)
    held = service.recorder = Held()
    await service.receive(*(record(n, new_id("ref"), 1) for n in range(6)))
    worker, stop = service.worker(), asyncio.Event()
    working = asyncio.create_task(worker.run(stop))
    await until(lambda: bool(held.asked_in))
    assert worker.owner_for(1) is None
    service.db.wakes.wake("work")
    await asyncio.sleep(0.1)
    rows = await service.fetch("SELECT FROM svc.inbox_streams WHERE lease_token IS NOT NULL")
    assert len(rows) == 4
    stop.set()
    service.db.wakes.wake("work")
    await asyncio.sleep(0.1)
    held.go_on.set()
    await asyncio.wait_for(working, 10)
    assert len(held.applied) == 4
