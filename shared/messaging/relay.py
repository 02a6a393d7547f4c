"""The relay: one leader per service moves its outbox to the bus."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import text

from shared.contracts.base import Topic
from shared.messaging.bus import RETENTION, Bus, BusUnavailable, Outgoing, Publisher
from shared.messaging.leases import Leadership
from shared.messaging.outbox import RELAY_VACANT, RELAY_WAKE, UNHURRIED
from shared.messaging.retention import prune_outbox
from shared.messaging.tables import OutboxTables
from shared.messaging.traced import trace_bodies
from shared.runtime import metrics, tracing
from shared.runtime.db import FORGETFUL, Database, Session
from shared.runtime.failpoints import failpoint
from shared.runtime.ids import utc_now
from shared.runtime.lifecycle import sleep_unless

log = structlog.get_logger()

_BATCH = 500
_POLL_SECONDS = 1.0
_RETRY_SECONDS = 0.25
_PRUNE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Pending:
    """An outbox row that the bus has not acknowledged."""

    id: int
    topic: str
    subject: str
    body: bytes
    home: datetime
    """When the server that keeps it was started."""

    @property
    def head(self) -> tuple[str, str]:
        return self.topic, self.subject


def acknowledged_prefix(pending: Sequence[Pending], acks: Sequence[bool]) -> list[Pending]:
    """What may be marked sent: per subject, everything before its first unacknowledged event."""
    stopped: set[tuple[str, str]] = set()
    sent = []
    for event, acked in zip(pending, acks, strict=True):
        if acked and event.head not in stopped:
            sent.append(event)
        else:
            stopped.add(event.head)
    return sent


class LostLeadership(Exception):
    """Another relay leads this service now. Stop writing; stand for election again."""


class Relay:
    """Publishes pending rows in order per subject, and marks them sent only after the ack.

    A zombie can publish twice what the inbox then deduplicates; it cannot mark anything, for the
    mark names its epoch.
    """

    def __init__(
        self,
        name: str,
        db: Database,
        dsn: str,
        tables: OutboxTables,
        bus: Bus,
        *,
        pace: float = 0.01,
    ) -> None:
        """`pace`: seconds between two batches. The first event goes out at once, those that
        follow it go together. What is in no hurry was together already, and keeps none waiting."""
        self._name = name
        self._pace = pace
        self._db = db
        self._dsn = dsn
        self._tables = tables
        self._bus = bus
        self._epoch = 0
        self._held: set[str] = set()
        outbox = tables.outbox.fullname
        self._read_pending = text(
            f"SELECT id, topic, subject, body, pg_postmaster_start_time() AS home FROM {outbox} "
            "WHERE sent_at IS NULL "
            "AND NOT subject = ANY(CAST(:held AS text[])) ORDER BY id LIMIT :limit"
        )
        # A mark that a crash of the server takes back is an event published twice.
        self._mark_sent = text(
            f"UPDATE {outbox} SET sent_at = clock_timestamp() "
            "WHERE id = ANY(CAST(:ids AS bigint[])) AND sent_at IS NULL "
            f"AND EXISTS (SELECT 1 FROM {tables.leader.fullname} WHERE epoch = :epoch) "
            f"AND {FORGETFUL} RETURNING id"
        )

    async def run(self, stop: asyncio.Event) -> None:
        leadership = Leadership(self._dsn, f"relay {self._name}")
        try:
            while not stop.is_set():
                if await leadership.contend():
                    await self._lead_until_lost(leadership, stop)
                else:
                    await self._wait(stop, RELAY_VACANT, _POLL_SECONDS)
        finally:
            self._db.wakes.leaving = stop.is_set()
            await leadership.close()

    async def _lead_until_lost(self, leadership: Leadership, stop: asyncio.Event) -> None:
        """Whoever waits for its turn hears of it at once when we are asked to stop."""
        await self.elect()
        self._db.wakes.leads = True
        try:
            await self._lead(leadership, stop)
        finally:
            self._db.wakes.leads = False
            if stop.is_set():
                await leadership.resign()
                self._db.wakes.wake(RELAY_VACANT)

    async def elect(self) -> int:
        """Begin a new epoch; from now on marks of earlier ones are refused."""
        leader = self._tables.leader.fullname
        async with self._db.transaction() as session:
            self._epoch = await session.scalar(
                text(
                    f"INSERT INTO {leader} AS l (id, epoch, elected_at) "
                    "VALUES (1, 1, clock_timestamp()) ON CONFLICT (id) DO UPDATE "
                    "SET epoch = l.epoch + 1, elected_at = clock_timestamp() RETURNING epoch"
                )
            )
        return self._epoch

    async def _lead(self, leadership: Leadership, stop: asyncio.Event) -> None:
        publisher = await self._bus.publisher()
        loop = asyncio.get_running_loop()
        prune_at = hold_until = loop.time()
        try:
            while leadership.leading and not stop.is_set():
                if loop.time() >= hold_until:
                    self._held.clear()
                    hold_until = loop.time() + _RETRY_SECONDS
                read = await self._relay_batch(publisher)
                if len(read) == _BATCH or (read and self._held):
                    continue
                if any(event.topic not in UNHURRIED for event in read):
                    await sleep_unless(stop, self._pace)
                if loop.time() >= prune_at:
                    await prune_outbox(self._db, self._tables)
                    await self._bus.prune(RETENTION)
                    prune_at = loop.time() + _PRUNE_SECONDS
                seconds = _RETRY_SECONDS if self._held else _POLL_SECONDS
                await self._wait(stop, RELAY_WAKE, seconds)
        except BusUnavailable:
            log.warning("bus_unavailable", service=self._name)
            await sleep_unless(stop, _POLL_SECONDS)
        except LostLeadership:
            metrics.RELAY_LEADERSHIP_LOST.inc()
        finally:
            await publisher.close()

    async def _wait(self, stop: asyncio.Event, wake: str, seconds: float) -> None:
        """Until woken, stopped, or the poll that is the guarantee."""
        woken = asyncio.ensure_future(self._db.wakes.wait(wake, seconds))
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait((woken, stopped), return_when=asyncio.FIRST_COMPLETED)
        for task in (woken, stopped):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def relay_once(self, publisher: Publisher) -> int:
        """Publish one batch; how many events were pending.

        Subjects that the bus did not acknowledge are left out of the next reads, so that they
        hold up nobody, for a quarter of a second at most: other events may never stop coming.
        """
        return len(await self._relay_batch(publisher))

    async def _relay_batch(self, publisher: Publisher) -> Sequence[Pending]:
        async with self._db.connection() as session:
            return await self._relay(session, publisher)

    async def _relay(self, session: Session, publisher: Publisher) -> Sequence[Pending]:
        """Read and mark over one connection: so the mark goes to the very server that was read,
        and if it arrives, no crash has forgotten a record that did not wait for the disk."""
        pending = await self._pending(session)
        if not pending:
            return pending
        failpoint(f"{self._name}.relay.before_publish")
        began = utc_now()
        acks = await publisher.publish(
            [Outgoing(Topic(event.topic), event.subject, event.body) for event in pending],
            pending[0].home,
        )
        failpoint(f"{self._name}.relay.after_publish")
        sent = acknowledged_prefix(pending, acks)
        acked = {event.id for event in sent}
        self._held |= {event.subject for event in pending if event.id not in acked}
        await self._mark(session, [event.id for event in sent])
        failpoint(f"{self._name}.relay.after_mark")
        metrics.RELAYED.inc(len(sent))
        if tracing.on():
            trace_bodies("publish", [(event.topic, event.body) for event in sent], began)
        return pending

    async def _pending(self, session: Session) -> list[Pending]:
        held = {"held": sorted(self._held), "limit": _BATCH}
        rows = await session.execute(self._read_pending, held)
        return [Pending(row.id, row.topic, row.subject, row.body, row.home) for row in rows]

    async def _mark(self, session: Session, ids: Sequence[int]) -> None:
        if not ids:
            return
        marked = await session.execute(self._mark_sent, {"ids": list(ids), "epoch": self._epoch})
        if len(marked) < len(ids):
            raise LostLeadership(self._name)
