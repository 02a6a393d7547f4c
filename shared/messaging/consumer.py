"""The consumer: bus to inbox, and nothing else. No handler runs under an offset."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import structlog

from shared.contracts.base import Topic
from shared.messaging.arrivals import Arrivals
from shared.messaging.bus import Batch, Bus, BusUnavailable, Subscription
from shared.messaging.inbox import Inbox, Received
from shared.messaging.quarantined import FORK
from shared.messaging.streams import Claimed, new_token
from shared.messaging.tables import InboxTables
from shared.messaging.traced import trace_bodies
from shared.messaging.worker import WORK_WAKE
from shared.runtime import metrics, tracing
from shared.runtime.db import Database, Session, flush, wake_after_commit
from shared.runtime.failpoints import failpoint
from shared.runtime.ids import utc_now
from shared.runtime.lifecycle import sleep_unless

log = structlog.get_logger()

_BATCH = 500
_LARGE_BATCH = 4000
_MANY_PER_SECOND = 500
_WAIT_SECONDS = 1.0


class Hands(Protocol):
    """The worker of this process, which may be given what has just been received."""

    def owner_for(self, streams: int) -> int | None: ...

    def take(self, claimed: Sequence[Claimed]) -> None: ...

    def disown(self, token: str) -> None: ...


class Consumer:
    """Copies its topics to the inbox: database first, then the offset."""

    def __init__(
        self,
        name: str,
        db: Database,
        tables: InboxTables,
        bus: Bus,
        topics: Sequence[Topic],
        *,
        hands: Hands | None = None,
        pace: float = 0.0,
        longest: float = 0.0,
    ) -> None:
        """`pace`: seconds between two batches, where nobody waits for what they say: together
        they cost little more than one. `longest`: how many they may become while much comes. A
        full one is followed at once."""
        self._name = name
        self._db = db
        self._inbox = Inbox(tables)
        self._arrivals = Arrivals(tables)
        self._bus = bus
        self._topics = topics
        self._hands = hands
        self._pace = pace
        self._longest = max(pace, longest)
        self._limit = _LARGE_BATCH if longest > pace else _BATCH
        self._pause = 0.0
        self._waited = 0.0
        self._fetched_at: datetime | None = None

    def age(self) -> float:
        """Seconds that the oldest record of its topics has waited to be fetched, as far as can be
        known: it grows while the bus is away. 0 in a process that does not run this role."""
        if self._fetched_at is None:
            return 0.0
        return self._waited + (utc_now() - self._fetched_at).total_seconds()

    async def run(self, stop: asyncio.Event) -> None:
        self._fetched_at = self._fetched_at or utc_now()
        while not stop.is_set():
            try:
                await self._consume(stop)
            except BusUnavailable:
                log.warning("bus_unavailable", service=self._name)
                await sleep_unless(stop, _WAIT_SECONDS)

    async def _consume(self, stop: asyncio.Event) -> None:
        async with self._db.transaction() as session:
            stored = await self._inbox.positions(session)
        subscription = await self._bus.subscribe(self._name, self._topics, stored)
        try:
            while not stop.is_set():
                await self.consume_once(subscription)
                if self._pause:
                    await sleep_unless(stop, self._pause)
        finally:
            await subscription.close()

    async def consume_once(self, subscription: Subscription, wait: float = _WAIT_SECONDS) -> int:
        """One batch: fetch, insert, commit the database, commit the offset. How many were new."""
        batch = await subscription.fetch(self._limit, wait)
        self._note_age(batch)
        self._pause = self._pause_after(batch)
        if not batch.records and not batch.next_offsets:
            return 0
        failpoint(f"{self._name}.consume.before_commit")
        received = await self._receive_new(batch) or await self._receive(batch)
        failpoint(f"{self._name}.consume.after_commit")
        if tracing.on() and self._fetched_at is not None:
            bodies = [(each.topic, each.body) for each in batch.records]
            trace_bodies("receive", bodies, self._fetched_at)
        await subscription.commit(batch.next_offsets)
        metrics.RECEIVED.inc(received.new)
        metrics.DUPLICATES.inc(received.duplicates)
        if received.quarantined:
            metrics.QUARANTINED.inc(received.quarantined)
            log.error("records_quarantined", service=self._name, count=received.quarantined)
        metrics.PARKED.inc(len(received.parked))
        for topic in received.parked:
            log.error("subject_parked", service=self._name, topic=topic, reason=FORK)
        return received.new

    def _pause_after(self, batch: Batch) -> float:
        """No pause where more of a topic lies there already: each may have its share of a batch."""
        of_each = Counter(record.topic for record in batch.records).values()
        if max(of_each, default=0) >= self._limit // max(1, len(self._topics)):
            return 0.0
        return pause(len(batch.records), self._pace, self._longest)

    async def _receive_new(self, batch: Batch) -> Received | None:
        """The usual batch, handed to the worker as far as it has room. None: it is unusual.

        The worker begins while we wait for the disk. On one connection, which a crash of the server
        ends: this subscription has moved on, and must not take for kept what was forgotten.
        """
        async with self._db.connection() as session:
            if not await self._hand_over(session, batch):
                return None
            await flush(session)
        return Received(len(batch.records), 0, 0)

    async def _hand_over(self, session: Session, batch: Batch) -> bool:
        token = new_token()
        try:
            taken = await self._arrivals.take(session, batch, self._owner_for, token)
        except BaseException:
            # It may be committed all the same, and leased to a worker that will not hear of it.
            if self._hands is not None:
                self._hands.disown(token)
            raise
        if taken is None:
            return False
        leased, streams = taken
        if self._hands is not None:
            self._hands.take(leased)
        if len(leased) < streams:
            self._db.wakes.wake(WORK_WAKE)
        return True

    def _owner_for(self, streams: int) -> int | None:
        return self._hands.owner_for(streams) if self._hands else None

    async def _receive(self, batch: Batch) -> Received:
        async with self._db.transaction() as session:
            received = await self._inbox.receive(session, batch)
            wake_after_commit(session, WORK_WAKE)
        return received

    def _note_age(self, batch: Batch) -> None:
        self._fetched_at = utc_now()
        self._waited = max(
            (
                (self._fetched_at - record.appended_at).total_seconds()
                for record in batch.records
                if record.appended_at is not None
            ),
            default=0.0,
        )


def pause(came: int, pace: float, longest: float) -> float:
    """Seconds to wait after a batch. What came within it at that speed or less makes it no longer;
    what comes faster makes it longer each time, and what comes slower shorter again."""
    return min(longest, max(pace, came / _MANY_PER_SECOND)) if came else 0.0
