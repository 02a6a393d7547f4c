"""Samples of a running machine: memory and file descriptors of its programs, and what waits."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import psutil

from deploy.machine.machine import SERVICES, Machine
from tests.load.costs import programs
from tests.load.flatness import Point

_MIB = 2**20

WAITING = {
    f"{schema} {what}": f"SELECT count(*) FROM {schema}.{query}"
    for what, query, schemas in (
        ("outbox", "outbox WHERE sent_at IS NULL", ("intake", "notify", "deadlines")),
        (
            "inbox",
            "inbox_streams WHERE ready_at IS NOT NULL AND parked_at IS NULL",
            ("notify", "deadlines", "audit"),
        ),
        ("due deliveries", "deliveries WHERE state = 'pending'", ("notify",)),
        ("open attempts", "deliveries WHERE state = 'attempting'", ("notify",)),
    )
    for schema in schemas
}
"""What waits, and the query that counts it; each is answered from a partial index."""

FLOORS = {"MB": 1.0, "files": 8.0, "waiting": 20.0}
"""By unit: a rise that is noise."""


class Series:
    """Every sample so far, by unit and name."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self.points: Mapping[tuple[str, str], list[Point]] = defaultdict(list)

    def elapsed(self) -> float:
        return time.monotonic() - self._began

    async def sample(self, machine: Machine, connection: Any) -> None:
        """One point of each series. `connection`: a superuser's, to the machine's database."""
        at = self.elapsed()
        # In a thread: it takes 50 ms, for which what comes would be noted late.
        await asyncio.to_thread(self._sample_programs, machine, at)
        for name, query in WAITING.items():
            self._add("waiting", name, at, await connection.fetchval(query))

    def _sample_programs(self, machine: Machine, at: float) -> None:
        for name, family in programs(machine).items():
            self._add("MB", name, at, memory_mb(family, shared=name == "postgresql"))
            if name in SERVICES:
                self._add("files", name, at, family[0].num_fds())

    def latest(self, unit: str) -> dict[str, float]:
        return {name: each[-1][1] for (its, name), each in self.points.items() if its == unit}

    def _add(self, unit: str, name: str, at: float, value: float) -> None:
        self.points[unit, name].append((at, value))


def memory_mb(family: list[psutil.Process], *, shared: bool) -> float:
    """Resident memory. `shared`: these processes share pages (PostgreSQL's buffers), so only what
    is each one's own counts; one that has just ended counts nothing."""
    found = 0
    for process in family:
        try:
            found += process.memory_full_info().uss if shared else process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return round(found / _MIB, 2)
