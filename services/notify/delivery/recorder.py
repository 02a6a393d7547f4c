"""Group commit of outcomes: many ends, one transaction, and none is ever forgotten."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from secrets import SystemRandom

import structlog

from services.notify.delivery import outcome_store
from services.notify.delivery.attempts import DELIVER_WAKE, Ended, Standing
from shared.messaging.outbox import Outbox
from shared.runtime import metrics, tracing
from shared.runtime.db import Database, unavailable
from shared.runtime.failpoints import failpoint
from shared.runtime.ids import utc_now
from shared.runtime.logging import where

log = structlog.get_logger()

GROUP = 64
GROUP_WAIT_SECONDS = 0.003
AGAIN_SECONDS = 0.2

_luck = SystemRandom().random


class Recorder:
    """Records outcomes as they come, at most 3 ms or 64 together, until the database has them.

    `recorded` is called with each group once it is committed.
    """

    def __init__(
        self, db: Database, outbox: Outbox, recorded: Callable[[Sequence[Ended]], None]
    ) -> None:
        self._db = db
        self._outbox = outbox
        self._recorded = recorded
        self._queue: asyncio.Queue[Ended] = asyncio.Queue()

    def put(self, ended: Ended) -> None:
        self._queue.put_nowait(ended)

    async def run(self) -> None:
        """Until cancelled. What is put in the meantime waits."""
        while True:
            group = [await self._queue.get()]
            if self._queue.qsize() < GROUP - 1:
                await asyncio.sleep(GROUP_WAIT_SECONDS)
            while len(group) < GROUP and not self._queue.empty():
                group.append(self._queue.get_nowait())
            self._again(await self._record(group))

    async def reclaim(self) -> None:
        """Declare `unknown` what nobody will report any more."""
        async with self._db.transaction() as session:
            left = await outcome_store.abandoned(session, utc_now())
        if left:
            await self._record(left)

    async def _record(self, group: Sequence[Ended]) -> list[Ended]:
        """Those that could not be. One that cannot must not hold up the others: then each on its
        own."""
        try:
            moved = await self._commit(group)
        except Exception as error:
            log.warning("outcomes_not_recorded", count=len(group), error=error, where=where(error))
            if len(group) == 1 or unavailable(error):
                return list(group)
            return [left for each in group for left in await self._record([each])]
        failpoint("notify.deliver.after_outcome")
        self._recorded(group)
        self._note(group, moved)
        return []

    async def _commit(self, group: Sequence[Ended]) -> list[Standing]:
        following = dict(each.trace for each in group if each.trace) if tracing.on() else None
        with tracing.carrying(following):
            async with self._db.transaction() as session:
                return await outcome_store.record(session, self._outbox, group, utc_now(), _luck)

    def _again(self, group: Iterable[Ended]) -> None:
        for each in group:
            asyncio.get_running_loop().call_later(AGAIN_SECONDS, self.put, each)

    def _note(self, group: Sequence[Ended], moved: Sequence[Standing]) -> None:
        counts = Counter(each.result for each in group)
        kinds = Counter((each.result, each.agency_kind) for each in group)
        for (result, kind), count in kinds.items():
            metrics.ATTEMPTS.labels(result, kind).inc(count)
        log.info("attempts_recorded", **counts)
        self._wake_for_retries(moved)

    def _wake_for_retries(self, moved: Sequence[Standing]) -> None:
        """Retries due sooner than the next poll."""
        soonest = min(
            (each.next_attempt_at for each in moved if each.next_attempt_at), default=None
        )
        if soonest is not None:
            wait = (soonest - utc_now()).total_seconds()
            asyncio.get_running_loop().call_later(
                max(0.0, wait), self._db.wakes.wake_here, DELIVER_WAKE
            )
