"""Reads the log from where a group is."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

from shared.contracts.base import Topic
from shared.messaging.bus import Batch, BusUnavailable, Incoming, Positions
from shared.messaging.postgres import store
from shared.messaging.postgres.link import Link
from shared.messaging.postgres.publisher import channel
from shared.runtime.pgnotify import Signals

log = structlog.get_logger()

_POLL_SECONDS = 1.0
_REMEMBER_SECONDS = 1.0


class PostgresSubscription:
    """Polls every second at the latest; a wake-up only makes it sooner.

    It lives as long as its connection: a server that crashed may have forgotten what was read, and
    give its place to another record.
    """

    def __init__(self, group: str, link: Link, signals: Signals) -> None:
        self._group = group
        self._link = link
        self._signals = signals
        self._next: dict[str, int] = {}
        self._told: dict[str, int] = {}
        self._remember_at = 0.0
        self._woken = asyncio.Event()
        self._stop_listening: list[Callable[[], None]] = []

    async def open(self, topics: Sequence[Topic], stored: Positions) -> None:
        """Find where to start, and say so to the bus, which keeps what comes after it.

        The group's own database says where it is; the bus remembers it a little late. When the
        bus says less, or nothing, its log may be a restored one or another one altogether, and
        `stored` may point past records that nobody has read: what is read twice does no harm.
        """
        names = [topic.value for topic in topics]
        known = await store.remembered(self._link, self._group, names)
        self._next = {
            name: min(stored.get((name, 0), 0), known.get(name, 0)) for name in sorted(names)
        }
        await store.remember(self._link, self._group, self._next)
        self._woken.set()
        self._stop_listening = [
            self._signals.listen(channel(name), self._woken.set) for name in self._next
        ]

    async def fetch(self, limit: int, wait: float) -> Batch:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait
        while True:
            await self._until_woken(min(deadline - loop.time(), _POLL_SECONDS))
            self._woken.clear()
            records = await store.read(self._link, self._next, limit)
            if len(records) >= limit // len(self._next):
                self._woken.set()
            if records or deadline <= loop.time():
                return self._move_past(records)
            await self._remember_when_due()

    async def _until_woken(self, seconds: float) -> None:
        """There was nothing more when we last looked: so wait first, and look then."""
        if not self._woken.is_set() and seconds > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._woken.wait()

    async def commit(self, next_offsets: Positions) -> None:
        self._told |= {topic: offset for (topic, _), offset in next_offsets.items()}
        with suppress(BusUnavailable):
            await self._remember_when_due()

    async def close(self) -> None:
        for stop_listening in self._stop_listening:
            stop_listening()
        if self._link.connected:
            with suppress(BusUnavailable):
                await self._remember()
        self._link.drop()

    async def _remember_when_due(self) -> None:
        """At most once a second: what gets lost with this process is only read again."""
        if asyncio.get_running_loop().time() >= self._remember_at:
            await self._remember()

    async def _remember(self) -> None:
        if self._told:
            await store.remember(self._link, self._group, self._told)
            self._told = {}
            self._remember_at = asyncio.get_running_loop().time() + _REMEMBER_SECONDS

    def _move_past(self, records: Sequence[Incoming]) -> Batch:
        moved: dict[str, int] = {}
        for record in records:
            expected = moved.get(record.topic, self._next[record.topic])
            if record.offset != expected:
                missing = record.offset - expected
                log.warning("bus_records_missing", topic=record.topic, count=missing)
            moved[record.topic] = record.offset + 1
        self._next |= moved
        return Batch(records, {(topic, 0): offset for topic, offset in moved.items()})
