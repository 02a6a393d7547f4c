"""Appends to the log, and wakes those who read it."""

from collections.abc import Sequence
from datetime import datetime

from shared.messaging.bus import Outgoing
from shared.messaging.postgres import store
from shared.messaging.postgres.link import Link
from shared.runtime.pgnotify import Signals


def channel(topic: str) -> str:
    """The channel that tells of new records in a topic."""
    return f"bus.{topic}"


class PostgresPublisher:
    """A publisher that reconnects by itself: after BusUnavailable, simply publish again."""

    def __init__(self, link: Link, signals: Signals) -> None:
        self._link = link
        self._signals = signals

    async def publish(
        self, batch: Sequence[Outgoing], home: datetime | None = None
    ) -> Sequence[bool]:
        """All or nothing. After BusUnavailable the whole batch may be there all the same."""
        if not batch:
            return []
        if not await store.append(self._link, batch, home):
            for topic in {record.topic.value for record in batch}:
                self._signals.notify(channel(topic))
        return [True] * len(batch)

    async def close(self) -> None:
        self._link.drop()
