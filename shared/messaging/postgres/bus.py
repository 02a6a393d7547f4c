"""The PostgreSQL bus: one partition, 0, per topic."""

from collections.abc import Sequence
from datetime import timedelta

from shared.contracts.base import Topic
from shared.messaging.bus import Positions, Publisher, Subscription
from shared.messaging.postgres import store
from shared.messaging.postgres.link import TIMEOUT_SECONDS, Link
from shared.messaging.postgres.publisher import PostgresPublisher
from shared.messaging.postgres.subscription import PostgresSubscription
from shared.runtime.pgnotify import Signals

_PRUNE_BATCH = 5000


class PostgresBus:
    """A process's end of the bus. The schema `bus` is migrated by its owner beforehand."""

    def __init__(self, dsn: str, name: str, *, timeout: float = TIMEOUT_SECONDS) -> None:
        """`name` is shown in pg_stat_activity; `timeout` bounds each call, in seconds."""
        self._dsn = dsn
        self._name = name
        self._timeout = timeout
        self._signals = Signals(dsn, f"{name} signals")

    async def publisher(self) -> Publisher:
        self._signals.start()
        return PostgresPublisher(self._link("publisher"), self._signals)

    async def subscribe(
        self, group: str, topics: Sequence[Topic], stored: Positions
    ) -> Subscription:
        """Start at `stored`, or earlier if the bus remembers less of the group."""
        self._signals.start()
        link = self._link(f"subscription {group}", durable=False, one=True)
        subscription = PostgresSubscription(group, link, self._signals)
        await subscription.open(topics, stored)
        return subscription

    async def prune(self, older_than: timedelta) -> int:
        link = self._link("prune")
        try:
            return sum([await _prune(link, topic.value, older_than) for topic in Topic])
        finally:
            link.drop()

    async def close(self) -> None:
        await self._signals.close()

    def _link(self, role: str, *, durable: bool = True, one: bool = False) -> Link:
        name = f"{self._name} bus {role}"
        return Link(self._dsn, name, timeout=self._timeout, durable=durable, one=one)


async def _prune(link: Link, topic: str, older_than: timedelta) -> int:
    removed = 0
    while True:
        count = await store.prune(link, topic, older_than, _PRUNE_BATCH)
        removed += count
        if count < _PRUNE_BATCH:
            return removed
