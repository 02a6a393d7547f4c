"""Wake-ups between processes, by LISTEN and NOTIFY on a connection of their own.

A NOTIFY is sent after the commit that it tells of, not in its transaction: there, it would make
every commit on the server that tells wait for the one before, and for its disk. The first goes out
at once, later ones at most every 10 ms. A lost wake-up costs a poll interval, so nothing here is
retried or awaited.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any

import asyncpg
import structlog

from shared.runtime.db import plain_dsn
from shared.runtime.wakes import Wakes

log = structlog.get_logger()

LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""What asyncpg raises when a server or a connection is gone or in trouble (and on timeouts)."""

KEEPALIVES = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "2",
}
_COALESCE_SECONDS = 0.010
_RECONNECT_SECONDS = 0.5
_LAST_SECONDS = 0.25
_PING_SECONDS = 30.0
_TIMEOUT_SECONDS = 5.0


class Signals:
    """Named wake-ups, at once for listeners in this process, by NOTIFY for the others.

    Reconnects for ever; after each reconnect every listener is woken, for it may have missed one.
    A channel is `schema.name`, at most 63 bytes.
    """

    def __init__(self, dsn: str, name: str) -> None:
        """Connects in `start`. `name` is shown in pg_stat_activity."""
        self._dsn = plain_dsn(dsn)
        self._name = name
        self._listeners: dict[str, list[Callable[[], None]]] = {}
        self._due: set[str] = set()
        self._stir = asyncio.Event()
        self._told = asyncio.Event()
        self._told.set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to talk to the server, in the background. Does nothing the second time."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"signals {self._name}")

    def listen(self, channel: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` whenever anybody notifies `channel`; returns what ends it."""
        self._listeners.setdefault(channel, []).append(wake)
        self._stir.set()
        return lambda: self._listeners[channel].remove(wake)

    def notify(self, channel: str) -> None:
        """Wake the channel's listeners everywhere. Call it after the commit."""
        self._wake(channel)
        self._due.add(channel)
        self._told.clear()
        self._stir.set()

    async def close(self) -> None:
        """What is still to be told is told first, if that is quick."""
        if self._task is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_SECONDS):
                    await self._told.wait()
            self._task.cancel()
            await asyncio.wait((self._task,))
            self._task = None

    def _wake(self, channel: str) -> None:
        for wake in tuple(self._listeners.get(channel, ())):
            wake()

    async def _run(self) -> None:
        while True:
            try:
                await self._talk()
            except LOST as error:
                log.warning("signals_lost", name=self._name, error=type(error).__name__)
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def _talk(self) -> None:
        connection = await asyncpg.connect(
            self._dsn,
            timeout=_TIMEOUT_SECONDS,
            command_timeout=_TIMEOUT_SECONDS,
            server_settings={"application_name": self._name, **KEEPALIVES},
        )
        connection.add_termination_listener(lambda _: self._stir.set())
        listening: set[str] = set()
        try:
            while not connection.is_closed():
                self._stir.clear()
                await self._begin_to_listen(connection, listening)
                await self._send_due(connection)
                await self._until_stirred(connection)
        finally:
            connection.terminate()

    async def _begin_to_listen(self, connection: Any, listening: set[str]) -> None:
        for channel in sorted(self._listeners.keys() - listening):
            await connection.add_listener(channel, self._heard)
            listening.add(channel)
            self._wake(channel)

    async def _send_due(self, connection: Any) -> None:
        if not self._due:
            return
        due, self._due = sorted(self._due), set()
        await connection.execute(
            "SELECT pg_notify(channel, '') FROM unnest(CAST($1 AS text[])) AS channel", due
        )
        if not self._due:
            self._told.set()
        await asyncio.sleep(_COALESCE_SECONDS)

    async def _until_stirred(self, connection: Any) -> None:
        try:
            async with asyncio.timeout(_PING_SECONDS):
                await self._stir.wait()
        except TimeoutError:
            await connection.execute("SELECT 1")

    def _heard(self, connection: Any, pid: int, channel: str, payload: str) -> None:
        if pid != connection.get_server_pid():
            self._wake(channel)


def share_wakes(
    wakes: Wakes,
    signals: Signals,
    schema: str,
    names: Iterable[str],
    *,
    led: Iterable[str] = (),
    whole: bool = False,
) -> None:
    """Let the processes of one service wake each other's loops of these names. Whoever leads waits
    for those that are `led`.

    `whole`: this process runs every role, and keeps to itself what it can do itself. Beside another
    one, as in an upgrade, it tells what is led while the other leads, and the rest once it leaves.
    """
    leading = frozenset(led)
    shared = leading.union(names)

    def kept(name: str) -> bool:
        return whole and (wakes.leads if name in leading else not wakes.leaving)

    def tell(name: str) -> None:
        if name in shared and not kept(name):
            signals.notify(f"{schema}.{name}")

    for name in shared:
        signals.listen(f"{schema}.{name}", partial(wakes.wake_here, name))
    wakes.on_wake(tell)
