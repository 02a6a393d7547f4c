"""A handler of batches gets what is ready at once, and after a failure each event alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.contracts.base import Event
from shared.messaging.handler import BatchHandler
from shared.runtime.db import Session
from shared.runtime.errors import Permanent
from shared.runtime.ids import new_id
from tests.integration.messaging.conftest import Recorder, Service, record
from tests.integration.messaging.test_messaging_inbox_worker import until, working


@dataclass
class BatchRecorder(Recorder, BatchHandler):
    sizes: list[int] = field(default_factory=list)

    takes_runs = True

    async def apply_all(self, session: Session, batch: Sequence[tuple[Event, Any, Any]]) -> None:
        self.sizes.append(len(batch))
        for event, data, material in batch:
            await self.apply(session, event, data, material)


async def test_what_is_ready_is_applied_in_one_batch(service: Service) -> None:
    recorder = service.recorder = BatchRecorder()
    subjects = [new_id("ref") for _ in range(8)]
    await service.receive(*(record(n, subject, 1) for n, subject in enumerate(subjects)))
    async with working(service):
        await until(lambda: len(recorder.applied) == 8)
    assert max(recorder.sizes) > 1
    assert sum(recorder.sizes) == 8
    assert {subject for subject, _, _ in recorder.applied} == set(subjects)


async def test_one_bad_event_of_a_batch_parks_its_own_subject_only(service: Service) -> None:
    recorder = service.recorder = BatchRecorder()
    subjects = [new_id("ref") for _ in range(4)]
    recorder.fail_apply[subjects[1]] = Permanent("no")
    await service.receive(*(record(n, subject, 1) for n, subject in enumerate(subjects)))
    async with working(service):
        await until(lambda: len({subject for subject, _, _ in recorder.applied}) == 3)
    effects = await service.fetch("SELECT event_id FROM svc.effects")
    assert len(effects) == 3
    parked = await service.fetch(
        "SELECT subject FROM svc.inbox_streams WHERE parked_at IS NOT NULL"
    )
    assert [row.subject for row in parked] == [subjects[1]]
