"""The two buses, each with a real server that can be crashed and hung, behind one face."""

import asyncio
import os
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from deploy.machine.kafka import KafkaBroker
from shared.contracts.base import Topic
from shared.messaging.bus import (
    Batch,
    Bus,
    BusUnavailable,
    Incoming,
    Outgoing,
    Publisher,
    Subscription,
)
from shared.messaging.kafka.bus import KafkaBus
from shared.messaging.kafka.calls import Limits
from shared.messaging.postgres.bus import PostgresBus
from tests.support.databases import FreshDatabase, TestServer

BOUND = 10.0
"""Seconds within which every call on a bus of these ends, whatever its server does."""

_LIMITS = Limits(
    request=4.0, publish=4.0, commit=2.0, stop=2.0, quiet=1.0, probe=3.0, join=20.0, session=6.0
)


class BusKind(ABC):
    """A bus and its server."""

    partitions: int

    @abstractmethod
    def open(self) -> Bus:
        """As another process would: nothing is shared with what was opened before."""

    @abstractmethod
    def pid(self) -> int: ...

    @abstractmethod
    def crash(self) -> None:
        """SIGKILL."""

    @abstractmethod
    async def recover(self) -> None: ...

    def hang(self) -> None:
        """SIGSTOP, and wait until not one thread runs any more."""
        self._signal(signal.SIGSTOP)
        threads = Path(f"/proc/{self.pid()}/task")
        while any("State:\tT" not in (t / "status").read_text() for t in threads.iterdir()):
            time.sleep(0.002)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, signum: int) -> None:
        server = psutil.Process(self.pid())
        for process in (server, *server.children(recursive=True)):
            with suppress(ProcessLookupError):
                os.kill(process.pid, signum)


class PostgresKind(BusKind):
    partitions = 1

    def __init__(self, server: TestServer, database: FreshDatabase) -> None:
        assert server.server is not None
        self._server = server.server
        self._dsn = database.dsns["bus"].app

    def open(self) -> Bus:
        return PostgresBus(self._dsn, "test", timeout=2.0)

    def pid(self) -> int:
        return self._server.pid

    def crash(self) -> None:
        self._server.kill()

    async def recover(self) -> None:
        self._server.start()


class KafkaKind(BusKind):
    partitions = 6

    def __init__(self, broker: KafkaBroker) -> None:
        self._broker = broker

    def open(self) -> Bus:
        return KafkaBus(self._broker.bootstrap, "test", _LIMITS)

    def pid(self) -> int:
        return self._broker.pid

    def crash(self) -> None:
        self._broker.kill()

    async def recover(self) -> None:
        self._broker.launch()
        await asyncio.to_thread(self._broker.wait_ready)


class Group:
    """A consumer with a database of its own, here a list: it stores, then it commits."""

    def __init__(self, name: str, topics: Sequence[Topic], mine: str) -> None:
        """Reads everything, and keeps the records whose body begins with `mine`: a broker may
        hold those of other tests."""
        self.name = name
        self.stored: list[Incoming] = []
        self.positions: dict[tuple[str, int], int] = {}
        self._topics = topics
        self._mine = mine.encode()

    @property
    def bodies(self) -> list[bytes]:
        return [record.body for record in self.stored if record.body is not None]

    async def subscribe(self, bus: Bus) -> Subscription:
        return await bus.subscribe(self.name, self._topics, self.positions)

    async def read(self, subscription: Subscription, count: int, *, limit: int = 100) -> None:
        """Until `count` records of ours are stored in all."""
        async with asyncio.timeout(60):
            while len(self.stored) < count:
                await self.read_once(subscription, limit=limit)

    async def read_once(self, subscription: Subscription, *, limit: int = 100) -> None:
        batch = await subscription.fetch(limit, 0.5)
        assert len(batch.records) <= limit
        self.keep(batch)
        self.positions |= batch.next_offsets
        await subscription.commit(batch.next_offsets)

    def keep(self, batch: Batch) -> None:
        self.stored += [
            record for record in batch.records if (record.body or b"").startswith(self._mine)
        ]


async def publish_surely(publisher: Publisher, batch: Sequence[Outgoing]) -> None:
    """Publish as the relay does: again, until every record is acknowledged."""
    async with asyncio.timeout(90):
        left = list(batch)
        while left:
            try:
                acks = await publisher.publish(left)
            except BusUnavailable:
                await asyncio.sleep(0.05)
                continue
            left = [record for record, acked in zip(left, acks, strict=True) if not acked]
