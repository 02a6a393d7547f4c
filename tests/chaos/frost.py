"""Freezes processes and wakes them: owners that are silent and not dead, and then zombies.

A process that is frozen keeps its sessions, so its leases end by the clock alone; another one
takes over, and the sleeper wakes in the middle of what is no longer its own.
"""

import asyncio
import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import suppress

import psutil

from deploy.machine.machine import SERVICES, Machine
from tests.chaos.diary import Diary
from tests.chaos.twins import twin

_LONG = {"intake": 12.0, "notify": 34.0, "deadlines": 34.0, "audit": 34.0}
"""Longer than a stream's lease and an attempt's longest one; intake's callers wait 15 s."""
_SHORT = (1.0, 6.0)
_SERVER = 3.0


class Frost:
    """`pids`: who is frozen now, and shall not be killed meanwhile."""

    def __init__(self, machine: Machine, diary: Diary, seed: int) -> None:
        self._machine = machine
        self._diary = diary
        self._random = random.Random(seed)
        self.pids: set[int] = set()

    async def creep(self, until: float) -> None:
        """Until time.time() reaches `until`, one after another: each service for long, and in
        between any process, or a server, for a moment. Only where another one can take over."""
        for service, seconds in self._victims():
            while not self._processes(service) and time.time() < until:
                await asyncio.sleep(0.1)
            left = until - time.time()
            if left < 1.0:
                break
            await self._freeze(service, min(seconds, left))
            await asyncio.sleep(self._random.uniform(0.2, 1.5))

    def _victims(self) -> Iterator[tuple[str, float]]:
        while True:
            for service in self._random.sample(SERVICES, len(SERVICES)):
                for _ in range(2):
                    yield self._random.choice(SERVICES), self._random.uniform(*_SHORT)
                yield service, _LONG[service]
                yield "kafka" if self._machine.kafka else "postgresql", _SERVER

    async def _freeze(self, whom: str, seconds: float) -> None:
        pids = self._processes(whom)
        begin = time.time()
        self.pids |= set(pids)
        _send(signal.SIGSTOP, pids)
        try:
            await asyncio.sleep(seconds)
        finally:
            woke = bool(pids) and all(psutil.pid_exists(pid) for pid in pids[:1])
            _send(signal.SIGCONT, pids)
            self.pids -= set(pids)
            self._diary.frozen(whom, begin, time.time(), woke=woke)

    def _processes(self, whom: str) -> list[int]:
        if whom == "postgresql":
            return (
                _with_children(self._machine.postgres.pid) if self._machine.postgres.alive else []
            )
        if whom == "kafka":
            kafka = self._machine.kafka
            return [kafka.pid] if kafka is not None and kafka.alive else []
        pids = [self._machine.supervisor.pid(each) for each in (whom, twin(whom))]
        return [self._random.choice([pid for pid in pids if pid])] if all(pids) else []


def _with_children(pid: int) -> list[int]:
    try:
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.NoSuchProcess:
        return []


def _send(signum: signal.Signals, pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signum)
