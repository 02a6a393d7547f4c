"""A claim's attempts on their way: none leaves before the claim's commit is confirmed."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence

from services.notify.delivery.attempts import Attempt

_TOGETHER = 8

Transports = Mapping[str, str | None]
"""By agency, as its record has it (`transport_of`), of those that have one."""

Deliver = Callable[[Attempt, "Departing"], Coroutine[object, object, None]]
"""Writes the letter of an attempt, waits until it is `confirmed`, and sends it."""


class Departing:
    """While their record is made, and its commit waits for the disk, the first letters are written.
    Nobody has them if that fails, or if nobody knows whether it did."""

    def __init__(self, group: asyncio.TaskGroup, deliver: Deliver) -> None:
        self._group = group
        self._deliver = deliver
        self._on_record = asyncio.Event()
        self._transports: Transports = {}
        self._begun: list[asyncio.Task[None]] = []
        self._attempts: Sequence[Attempt] = ()

    def begin(self, attempts: Sequence[Attempt]) -> None:
        """These are being recorded, in place of whatever was begun before."""
        self.drop()
        self._attempts = attempts
        self._begun = [self._start(each) for each in attempts[:_TOGETHER]]

    async def leave(self, transports: Transports) -> None:
        """They are on record. The others are written a few at a time, so that the first bytes
        leave before the last letter is written."""
        self._transports = transports
        self._on_record.set()
        for begin in range(_TOGETHER, len(self._attempts), _TOGETHER):
            await asyncio.sleep(0)
            for each in self._attempts[begin : begin + _TOGETHER]:
                self._start(each)

    async def confirmed(self) -> Transports:
        await self._on_record.wait()
        return self._transports

    def drop(self) -> None:
        for task in self._begun:
            task.cancel()

    def _start(self, attempt: Attempt) -> asyncio.Task[None]:
        return self._group.create_task(self._deliver(attempt, self))
