"""Who is alive: a process's owner number, held as a session advisory lock.

A lease names its owner. When the owner's session is gone, so is its lock, and its leases are
free at once instead of when the clock says so. Tokens guard scheduling; facts never ask for one.
"""

import secrets
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import asyncpg

from shared.runtime.db import plain_dsn
from shared.runtime.errors import Retryable

_OWNERS = 0x484C0001
_LEADERS = 0x484C0002

ALIVE_OWNERS = (
    "SELECT CAST(CAST(objid AS bigint) AS integer) FROM pg_locks "
    f"WHERE locktype = 'advisory' AND classid = {_OWNERS} AND objsubid = 2 AND granted "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
"""Subquery: the owner numbers whose sessions are alive. `lease_owner NOT IN (…)` are free."""

_KEEPALIVES = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "2",
}


async def _connect(dsn: str, name: str) -> Any:
    return await asyncpg.connect(
        plain_dsn(dsn),
        timeout=5,
        command_timeout=5,
        server_settings={"application_name": name, **_KEEPALIVES},
    )


class Presence:
    """An owner number that is alive exactly as long as its session.

    One per run of a role: `async with Presence(dsn) as presence`. `owner` raises Retryable once
    the session is lost; then leave, and come back as somebody else.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._owner = 0
        self._connection: Any = None

    async def start(self) -> Self:
        self._connection = await _connect(self._dsn, "hartline presence")
        self._owner = 1 + secrets.randbelow(2**31 - 2)
        await self._connection.execute("SELECT pg_advisory_lock($1, $2)", _OWNERS, self._owner)
        return self

    @property
    def owner(self) -> int:
        if not self.alive:
            raise Retryable("the session that keeps our leases is lost")
        return self._owner

    @property
    def alive(self) -> bool:
        return self._connection is not None and not self._connection.is_closed()

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.terminate()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


class Leadership:
    """At most one leader per name, as long as its session lives. Others wait their turn."""

    def __init__(self, dsn: str, name: str) -> None:
        self._dsn = dsn
        self._name = name
        self._connection: Any = None

    async def contend(self) -> bool:
        """Try once; True when we lead. Keeps its session for the next try."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await _connect(self._dsn, f"hartline leader {self._name}")
        won: bool = await self._connection.fetchval(
            "SELECT pg_try_advisory_lock($1, hashtext($2))", _LEADERS, self._name
        )
        return won

    async def resign(self) -> None:
        """Let another lead from now on, rather than from when the server misses our session."""
        if self.leading:
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                await self._connection.execute("SELECT pg_advisory_unlock_all()", timeout=1)

    @property
    def leading(self) -> bool:
        """False once the session is lost. Another may lead by then: fence what you write."""
        return self._connection is not None and not self._connection.is_closed()

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
