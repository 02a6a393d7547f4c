"""The port: what the relay and the consumer ask of a bus, whichever it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from shared.contracts.base import Topic

RETENTION = timedelta(days=14)
"""How long the bus keeps what every group has read, for reading again."""


class BusUnavailable(Exception):
    """The bus did not answer in time or lost us. Recreate what you hold and try again."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event on its way out. Same key, same partition, so same order."""

    topic: Topic
    key: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Incoming:
    """A record as it lies on the bus, parsed by nobody yet."""

    topic: str
    partition: int
    offset: int
    body: bytes | None
    appended_at: datetime | None = None
    """When it came onto the bus, by the bus's clock or the publisher's."""
    damage: str | None = None
    """Why the bus could not give its body back; then `body` is None."""


Positions = Mapping[tuple[str, int], int]
"""(topic, partition) → the next offset to read."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records in offset order per partition, and where to go on reading after them."""

    records: Sequence[Incoming]
    next_offsets: Positions = field(default_factory=dict)


class Publisher(Protocol):
    async def publish(
        self, batch: Sequence[Outgoing], home: datetime | None = None
    ) -> Sequence[bool]:
        """Send a batch; for each record whether the bus acknowledged it durably.

        `home`: when the server that keeps the outbox was started, which tells it from any other.
        Where the records lie in the very same one they need not wait for the disk: its one
        write-ahead log keeps a record before the mark that it was sent.

        Takes a bounded time. False means "not known to be there": it may be there all the same.
        Raises BusUnavailable when nothing can be said of any of them.
        """

    async def close(self) -> None: ...


class Subscription(Protocol):
    async def fetch(self, limit: int, wait: float) -> Batch:
        """Up to `limit` records, waiting up to `wait` seconds for the first.

        Moves on with every call: what was fetched and could not be stored is read again only by
        a new subscription. So on any failure close this one, and commit nothing after it.
        Raises BusUnavailable when the bus is gone; then open a new subscription.
        """

    async def commit(self, next_offsets: Positions) -> None:
        """Tell the bus how far we are, once it is on our own database's disk.

        Bounded, and best effort: what is not committed is read again and deduplicated.
        """

    async def close(self) -> None: ...


class Bus(Protocol):
    async def publisher(self) -> Publisher: ...

    async def subscribe(
        self, group: str, topics: Sequence[Topic], stored: Positions
    ) -> Subscription:
        """Read `topics` as `group`. `stored` are the positions that the group's own database
        holds: the PostgreSQL bus starts there; Kafka starts at its committed offsets."""

    async def prune(self, older_than: timedelta) -> int:
        """Remove what is older and what every group has read; how many records. Kafka's brokers
        do so by themselves."""

    async def close(self) -> None: ...
