"""What a consumer that keeps a pace has received is handed to the worker of its process whole."""

import asyncio
from typing import Any

import pytest

from shared.contracts.base import Topic
from shared.contracts.referrals import ReferralReceived
from shared.messaging import worker as worker_module
from shared.messaging.bus import Batch
from shared.messaging.service import Consuming
from shared.messaging.streams import Streams
from shared.runtime.ids import new_id
from tests.integration.messaging.conftest import Service, record
from tests.integration.messaging.test_messaging_at_once import QuickBatches
from tests.integration.messaging.test_messaging_inbox_worker import until


class OneBatch:
    """A bus whose group has one batch to read."""

    def __init__(self, batch: Batch) -> None:
        self._batches = [batch]

    async def subscribe(self, *_: object) -> "OneBatch":
        return self

    async def fetch(self, limit: int, wait: float) -> Batch:
        if not self._batches:
            await asyncio.sleep(wait)
            return Batch([])
        return self._batches.pop()

    async def commit(self, next_offsets: object) -> None: ...

    async def close(self) -> None: ...


@pytest.mark.parametrize("pace", [0.0, 0.01])
async def test_a_paced_batch_is_handed_over_whole_and_any_other_as_far_as_there_is_room(
    service: Service, pace: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed: list[int] = []
    claim = Streams.claim

    async def noted(*given: Any) -> Any:
        found = await claim(*given)
        claimed.append(len(found))
        return found

    monkeypatch.setattr(Streams, "claim", noted)
    quick = service.recorder = QuickBatches()
    records = [record(n, new_id("ref"), 1) for n in range(worker_module._IN_FLIGHT + 1)]
    bus: Any = OneBatch(Batch(records, {("referrals", 0): len(records)}))
    handlers: Any = {ReferralReceived: quick}
    tables, topics = service.inbox_tables, (Topic.REFERRALS,)
    consuming = Consuming("svc", service.db, service.dsn, bus, tables, topics, handlers, pace=pace)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as roles:
        roles.create_task(consuming.work(stop))
        await until(lambda: bool(claimed))
        roles.create_task(consuming.consume(stop))
        await until(lambda: len(quick.applied) == len(records))
        stop.set()
        service.db.wakes.wake("work")
    assert sum(claimed) == (0 if pace else len(records))
