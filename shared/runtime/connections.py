"""A service's connections to its database: opened as they are needed, and kept.

asyncpg's own pool gives each back in a task of its own, which costs as much as a statement does.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

import asyncpg

Connection = Any
"""asyncpg's."""

_CLOSED = "the connections are closed"
_IDLE_SECONDS = 1800.0
_END_SECONDS = 5.0


class Connections:
    """At most so many; whoever comes when all are taken waits, and is served in turn."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], most: int) -> None:
        self.most = most
        self._connect = connect
        self._places = 0
        """How many there are, those included that somebody is opening."""
        self._open: set[Connection] = set()
        self._stale: set[Connection] = set()
        self._free: deque[tuple[Connection, float]] = deque()
        """With when each was given back; the last one is taken first."""
        self._turns: deque[asyncio.Future[Connection | None]] = deque()
        """Who waits is given a connection, or None: the place of one that has gone."""
        self._ended = False

    @property
    def opened(self) -> int:
        return len(self._open)

    @property
    def in_use(self) -> int:
        return self._places - len(self._free)

    @property
    def waiting(self) -> int:
        return sum(not turn.done() for turn in self._turns)

    def taken(self, seconds: float) -> "_Taken":
        """One, for as long as the context lasts. Entering it raises TimeoutError when all are taken
        for so long, and whatever connecting raises."""
        return _Taken(self, seconds)

    def terminate(self) -> None:
        """End them all, those too that are taken; no more are opened."""
        self._ended = True
        for each in list(self._open):
            each.terminate()

    async def take(self, seconds: float) -> Connection:
        while self._free:
            connection, _ = self._free.pop()
            if not connection.is_closed():
                return connection
            self._end(connection)
        if self._places < self.most:
            self._places += 1
            return await self._opened()
        return await self._turn(seconds) or await self._opened()

    def give_back(self, connection: Connection, error: BaseException | None) -> None:
        """`error`: what ended its use, if anything did."""
        if isinstance(error, asyncpg.InvalidCachedStatementError):
            self._expire()
        if connection not in self._stale and _fit(connection, error):
            self._pass_on(connection)
        else:
            self._end(connection)

    async def _opened(self) -> Connection:
        """In a place that is counted already."""
        try:
            if self._ended:
                raise asyncpg.InterfaceError(_CLOSED)
            connection = await self._connect()
        except BaseException:
            self._pass_on(None)
            raise
        if self._ended:
            connection.terminate()
            self._pass_on(None)
            raise asyncpg.InterfaceError(_CLOSED)
        self._open.add(connection)
        return connection

    async def _turn(self, seconds: float) -> Connection | None:
        turn: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._turns.append(turn)
        try:
            async with asyncio.timeout(seconds):
                return await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self._pass_on(turn.result())
            raise

    def _pass_on(self, connection: Connection | None) -> None:
        while self._turns:
            turn = self._turns.popleft()
            if not turn.done():
                turn.set_result(connection)
                return
        if connection is None:
            self._places -= 1
        else:
            now = asyncio.get_running_loop().time()
            self._free.append((connection, now))
            if now - self._free[0][1] > _IDLE_SECONDS:
                self._end(self._free.popleft()[0])

    def _expire(self) -> None:
        """A table was changed, and every connection has made plans for what it was."""
        self._stale = set(self._open)
        while self._free:
            self._end(self._free.pop()[0])

    def _end(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._stale.discard(connection)
        connection.terminate()
        self._pass_on(None)


class _Taken:
    __slots__ = ("_connection", "_connections", "_seconds")

    def __init__(self, connections: Connections, seconds: float) -> None:
        self._connections = connections
        self._seconds = seconds

    async def __aenter__(self) -> Connection:
        self._connection = await self._connections.take(self._seconds)
        return self._connection

    async def __aexit__(
        self, kind: object, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if _broken_off(error):
                await _end(self._connection)
        finally:
            self._connections.give_back(self._connection, error)


async def _end(connection: Connection) -> None:
    """Once the server has dropped what was under way: nothing takes effect after its failure was
    told, and nobody opens another meanwhile."""
    with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        await connection.close(timeout=_END_SECONDS)


def _broken_off(error: BaseException | None) -> bool:
    """Whether a statement may still be under way."""
    return isinstance(error, TimeoutError) or not isinstance(error, Exception | None)


def _fit(connection: Connection, error: BaseException | None) -> bool:
    """Whether the next one may have it."""
    return not (_broken_off(error) or connection.is_closed() or connection.is_in_transaction())
