"""Beginning and ending aiokafka's clients, whatever their broker does.

aiokafka forgets a connection when its `start()` is cancelled, and makes new ones after `stop()` for
what still runs in the background. So a start is never cancelled, only abandoned, and a client that
has ended cannot connect again. This reaches into aiokafka 0.14, which offers no other way.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from aiokafka.errors import ProducerClosed

from shared.messaging.bus import BusUnavailable
from shared.messaging.kafka.calls import Limits, bounded, forget

_SETTLE_SECONDS = 30.0


class Clients:
    """The producers, consumers and admin clients of one bus."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._ending: set[asyncio.Task[None]] = set()

    async def start(self, client: Any) -> None:
        """Start it, or raise BusUnavailable and see to its end."""
        starting = asyncio.create_task(client.start())
        begun = False
        try:
            await bounded(_outcome(starting), self._limits.request)
            begun = True
        finally:
            if not begun:
                self._in_background(self._end_abandoned(starting, client))

    async def end(self, client: Any) -> None:
        """Stop it in order if that is quick. Never raises."""
        await asyncio.wait((self.end_soon(client),), timeout=self._limits.stop)

    def end_soon(self, client: Any) -> "asyncio.Task[None]":
        """Stop it in the background. A producer sends what it holds, if it can."""
        return self._in_background(self._end(client))

    async def settle(self) -> None:
        """Wait for the ends that take longer: as long as some requests to a hung broker."""
        if self._ending:
            await asyncio.wait(tuple(self._ending), timeout=_SETTLE_SECONDS)

    async def _end_abandoned(self, starting: "asyncio.Task[None]", client: Any) -> None:
        await asyncio.wait((starting,))
        forget(starting)
        await self._end(client)

    async def _end(self, client: Any) -> None:
        stop = client.close if hasattr(client, "close") else client.stop
        try:
            await bounded(stop(), self._limits.stop)
        except BusUnavailable:
            _cancel_background(client)
        with suppress(BusUnavailable):
            await bounded(_hang_up(client), 3 * self._limits.request)

    def _in_background(self, end: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(end)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return task


async def _outcome(task: "asyncio.Task[None]") -> None:
    """Wait for a task, which goes on when we are cancelled."""
    await asyncio.wait((task,))
    await task


def _cancel_background(client: Any) -> None:
    """A consumer half stopped would go on to heartbeat, and keep its partitions from others."""
    coordinator = getattr(client, "_coordinator", None)
    for owner, name in (
        (coordinator, "_heartbeat_task"),
        (coordinator, "_commit_refresh_task"),
        (coordinator, "_coordination_task"),
        (getattr(client, "_fetcher", None), "_fetch_task"),
        (getattr(client, "_sender", None), "_sender_task"),
    ):
        task = getattr(owner, name, None)
        if task is not None and not task.done():
            task.cancel()
            task.add_done_callback(forget)
    accumulator = getattr(client, "_message_accumulator", None)
    if accumulator is not None:
        accumulator.fail_all(ProducerClosed())


async def _hang_up(client: Any) -> None:
    """Close every connection, also one being made at this moment, and let nobody make another."""
    connections = getattr(client, "_client", None) or client.client
    connections._get_conn = _no_connection
    async with connections._get_conn_lock:
        await connections.close()


async def _no_connection(*_: Any, **__: Any) -> None:
    return None
