"""Kills one process after another: at named fail points, at random, and the servers below."""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from deploy.machine.machine import Machine
from tests.chaos.points import POINTS

_PASSED_WITHIN = 2.5
_SERVER_EVERY = 12


class Monkey:
    """`kills` counts by what was killed; fail points that nobody passed in time are not counted."""

    def __init__(self, machine: Machine, armed: Path, seed: int) -> None:
        self._machine = machine
        self._armed = armed
        self._random = random.Random(seed)
        self.kills: Counter[str] = Counter()

    async def rage(self, until: float, say: Callable[[str], None]) -> None:
        """Until time.time() reaches `until`: every point in turn, a server every twelfth time."""
        rounds = 0
        points = [(name, point) for name, group in POINTS.items() for point in group]
        while time.time() < until:
            self._random.shuffle(points)
            for name, point in points:
                if time.time() >= until:
                    break
                rounds += 1
                if rounds % _SERVER_EVERY == 0:
                    await self._kill_a_server()
                await self._kill_at(name, point)
                say(f"{self.kills.total()} kills")

    async def _kill_at(self, name: str, point: str) -> None:
        file = self._armed / point
        file.touch()
        deadline = time.time() + _PASSED_WITHIN
        while file.exists() and time.time() < deadline:
            await asyncio.sleep(0.05)
        try:
            file.unlink()
        except FileNotFoundError:
            self.kills[point] += 1
            return
        pid = self._machine.supervisor.pid(name)
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.kills[f"{name} at random"] += 1

    async def _kill_a_server(self) -> None:
        """SIGKILL, as a power cut would; the machine starts it again."""
        kafka, postgres = self._machine.kafka, self._machine.postgres
        if kafka is not None and kafka.alive and self._random.random() < 0.5:
            kafka.kill()
            self.kills["kafka"] += 1
        elif postgres.alive:
            postgres.kill()
            self.kills["postgresql"] += 1
