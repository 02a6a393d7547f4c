"""Calls that were left alone: each becomes an event once, so that a person sees to it."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from services.intake.calls import store
from services.intake.calls.drafts import Call
from shared.contracts.referrals import CallAbandoned
from shared.messaging.outbox import Outbox
from shared.runtime import metrics
from shared.runtime.db import Database
from shared.runtime.failpoints import failpoint
from shared.runtime.ids import utc_now

log = structlog.get_logger()

BATCH = 100


class Abandoning:
    """A chore of the sweeper. Two sweepers are harmless: each takes what the other has not."""

    def __init__(
        self,
        db: Database,
        outbox: Outbox,
        patience: timedelta,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._db = db
        self._outbox = outbox
        self._patience = patience
        self._clock = clock

    async def once(self) -> bool:
        """One batch: mark, tell, commit. True if there may be more."""
        now = self._clock()
        async with self._db.transaction() as session:
            calls = await store.abandon(session, now - self._patience, now, BATCH)
            await self._outbox.emit(session, now, *(_event(call, now) for call in calls))
            if calls:
                failpoint("intake.sweep.before_commit")
        if calls:
            failpoint("intake.sweep.after_commit")
            metrics.CALLS_ABANDONED.inc(len(calls))
            log.warning("calls_abandoned", count=len(calls))
        return len(calls) == BATCH


def _event(call: Call, now: datetime) -> CallAbandoned:
    return CallAbandoned(
        call_id=call.call_id,
        received_at=call.received_at,
        saved_at=call.saved_at,
        recorded_at=now,
        synthetic=call.synthetic,
    )
