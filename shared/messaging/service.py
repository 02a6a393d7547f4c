"""Messaging for one service: its outbox, and the roles relay, consume and work."""

import asyncio
from collections.abc import Sequence

from sqlalchemy import text

from shared.contracts.base import Source, Topic
from shared.messaging.bus import Bus
from shared.messaging.consumer import Consumer
from shared.messaging.handover import Handlers
from shared.messaging.outbox import Outbox
from shared.messaging.relay import Relay
from shared.messaging.tables import InboxTables, OutboxTables
from shared.messaging.worker import Worker
from shared.runtime import metrics
from shared.runtime.db import Database, Session

_NOTIFICATIONS = text("SELECT pg_notification_queue_usage()")


class Emitting:
    """What a service that emits has: an outbox to write to, and the relay role."""

    def __init__(
        self,
        name: str,
        db: Database,
        dsn: str,
        bus: Bus,
        tables: OutboxTables,
        source: Source,
    ) -> None:
        self._tables = tables
        self._relay = Relay(name, db, dsn, tables, bus)
        self.outbox = Outbox(tables, source)

    async def relay(self, stop: asyncio.Event) -> None:
        await self._relay.run(stop)

    async def ages(self, session: Session) -> dict[str, float]:
        """Seconds that the oldest pending event has waited."""
        outbox = self._tables.outbox.fullname
        return await _ages(
            session, f"SELECT 'outbox', min(created_at) FROM {outbox} WHERE sent_at IS NULL"
        )


class Consuming:
    """What a service that consumes has: the roles consume and work."""

    def __init__(
        self,
        name: str,
        db: Database,
        dsn: str,
        bus: Bus,
        tables: InboxTables,
        topics: Sequence[Topic],
        handlers: Handlers,
        *,
        pace: float = 0.0,
        longest: float = 0.0,
    ) -> None:
        """`pace` and `longest`: seconds between two batches (Consumer)."""
        self._name = name
        self._tables = tables
        self._worker = Worker(name, db, dsn, tables, handlers)
        self._consumer = Consumer(
            name, db, tables, bus, topics, hands=self._worker, pace=pace, longest=longest
        )

    async def consume(self, stop: asyncio.Event) -> None:
        await self._consumer.run(stop)

    async def work(self, stop: asyncio.Event) -> None:
        await self._worker.run(stop)

    async def ages(self, session: Session) -> dict[str, float]:
        """Seconds that the oldest unread, unfinished, parked, missing or quarantined one has
        waited. Counts the parked ones, too."""
        inbox, streams = self._tables.inbox.fullname, self._tables.streams.fullname
        quarantine = self._tables.quarantine.fullname
        ages = await _ages(
            session,
            f"SELECT 'inbox', min(i.received_at) FROM {streams} s JOIN {inbox} i "
            "ON i.topic = s.topic AND i.source = s.source AND i.subject = s.subject "
            "AND i.sequence > s.cursor AND i.sequence <= s.highest WHERE s.ready_at IS NOT NULL "
            f"UNION ALL SELECT 'parked', min(parked_at) FROM {streams} "
            "WHERE parked_at IS NOT NULL "
            f"UNION ALL SELECT 'gap', min(gap_since) FROM {streams} WHERE ready_at IS NOT NULL "
            f"UNION ALL SELECT 'quarantine', min(quarantined_at) FROM {quarantine} "
            "WHERE released_at IS NULL",
        )
        parked = await session.scalar(
            text(f"SELECT count(*) FROM {streams} WHERE parked_at IS NOT NULL")
        )
        metrics.PARKED_NOW.labels(self._name).set(parked or 0)
        return ages | {"topic": max(0.0, self._consumer.age())}


async def _ages(session: Session, query: str) -> dict[str, float]:
    """Zero for what does not wait, so that an alert resolves and a missing series stands out.

    Measures the server's queue of notifications as well: a bus on that server tells by it."""
    metrics.NOTIFICATIONS.set(await session.scalar(_NOTIFICATIONS))
    rows = await session.execute(
        text(
            "SELECT what, coalesce(extract(epoch FROM clock_timestamp() - since), 0) AS age "
            f"FROM ({query}) AS oldest(what, since)"
        )
    )
    return {row.what: max(0.0, float(row.age)) for row in rows}
