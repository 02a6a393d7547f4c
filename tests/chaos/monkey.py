"""Kills one process after another: at named fail points, at random, and the servers below."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from deploy.machine.machine import Machine
from tests.chaos.diary import Diary
from tests.chaos.frost import Frost
from tests.chaos.points import POINTS
from tests.chaos.twins import twin

_STEP_SECONDS = 1.8
"""Faster, and nobody lives long enough to get anywhere."""
_SERVER_EVERY = 14
_REST_EVERY, _REST_SECONDS = 15, 9.0
"""For the points that lie behind all others: somebody must get that far."""


class Monkey:
    """A fail point that nobody passes in time stays armed, and is counted when somebody does."""

    def __init__(
        self, machine: Machine, armed: Path, diary: Diary, frost: Frost, seed: int
    ) -> None:
        self._machine = machine
        self._armed = armed
        self._diary = diary
        self._frost = frost
        self._random = random.Random(seed)
        self._waiting: dict[str, str] = {}
        self.missing = {point for group in POINTS.values() for point in group}

    async def rage(self, until: float, say: Callable[[str], None]) -> None:
        """Until time.time() reaches `until`: every point in turn, those first that were never
        hit, and a server every twelfth time."""
        rounds = 0
        points = [(name, point) for name, group in POINTS.items() for point in group]
        while time.time() < until:
            self._random.shuffle(points)
            points.sort(key=lambda each: each[1] not in self.missing)
            for name, point in points:
                if time.time() >= until:
                    break
                rounds += 1
                if rounds % _SERVER_EVERY == 0:
                    await self._kill_a_server()
                await self._kill_at(name, point)
                if rounds % _REST_EVERY == 0:
                    await self._watch(_REST_SECONDS)
                say(f"{self._diary.kills.total()} kills, {len(self.missing)} points to come")
        self._disarm()

    async def _kill_at(self, name: str, point: str) -> None:
        if point not in self._waiting:
            (self._armed / point).touch()
            self._waiting[point] = name
        await self._watch(_STEP_SECONDS)
        if point in self._waiting:
            self._kill_at_random()

    async def _watch(self, seconds: float) -> None:
        deadline = time.time() + seconds
        while time.time() < deadline:
            await asyncio.sleep(0.05)
            self._see_who_died()

    def _see_who_died(self) -> None:
        for point, name in list(self._waiting.items()):
            if not (self._armed / point).exists():
                del self._waiting[point]
                self.missing.discard(point)
                self._diary.killed(name, point, time.time())

    def _kill_at_random(self) -> None:
        """Somebody who has no point to come to, and is not frozen, for the frozen shall wake."""
        for name in sorted(POINTS.keys() - self._waiting.values()):
            pids = [self._machine.supervisor.pid(each) for each in (name, twin(name))]
            awake = [pid for pid in pids if pid is not None and pid not in self._frost.pids]
            if awake and self._random.random() < 0.5:
                with suppress(ProcessLookupError):
                    os.kill(self._random.choice(awake), signal.SIGKILL)
                    self._diary.killed(name, f"{name} at random", time.time())
                return

    async def _kill_a_server(self) -> None:
        """SIGKILL, as a power cut would; the machine starts it again."""
        kafka, postgres = self._machine.kafka, self._machine.postgres
        if kafka is not None and kafka.alive and self._random.random() < 0.5:
            kafka.kill()
            self._diary.killed("kafka", "kafka", time.time())
        elif postgres.alive:
            postgres.kill()
            self._diary.killed("postgresql", "postgresql", time.time())

    def _disarm(self) -> None:
        self._see_who_died()
        for point in self._waiting:
            (self._armed / point).unlink(missing_ok=True)
