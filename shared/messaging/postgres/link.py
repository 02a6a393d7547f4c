"""One bounded connection to the bus's database."""

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg

from shared.messaging.bus import BusUnavailable
from shared.runtime.db import BY_INDEX, plain_dsn
from shared.runtime.pgnotify import KEEPALIVES, LOST

TIMEOUT_SECONDS = 10.0
_CONNECT_SECONDS = 5.0


class Link:
    """Connects when first asked, runs one statement at a time, each its own transaction.

    Whatever goes wrong costs the connection; the next statement makes a new one, unless it is to
    be `one`. Between being sent and failing, a statement may have committed.
    """

    def __init__(
        self,
        dsn: str,
        name: str,
        *,
        timeout: float = TIMEOUT_SECONDS,
        durable: bool = True,
        one: bool = False,
    ) -> None:
        """`timeout` seconds bound a statement, with connecting and waiting for its turn. What is
        written without `durable` may be forgotten when the server crashes. `one`: for whoever
        must notice that it did; a lost connection is BusUnavailable for good."""
        self._dsn = plain_dsn(dsn)
        self._timeout = timeout
        self._settings = {
            "application_name": name,
            "statement_timeout": f"{timeout * 1000:.0f}",
            **KEEPALIVES,
            **BY_INDEX,
        }
        if not durable:
            self._settings["synchronous_commit"] = "off"
        self._one = one
        self._turn = asyncio.Lock()
        self._connection: Any = None
        self._begun = False

    @property
    def connected(self) -> bool:
        return self._connection is not None and not self._connection.is_closed()

    async def rows(self, statement: str, *values: object) -> Sequence[Any]:
        """Run a statement and return its rows. Raises BusUnavailable within the timeout."""
        try:
            async with asyncio.timeout(self._timeout), self._turn:
                return await self._run(statement, values)
        except LOST as error:
            raise BusUnavailable(type(error).__name__) from error

    async def _run(self, statement: str, values: Sequence[object]) -> Sequence[Any]:
        finished = False
        try:
            if not self.connected:
                self._connection = await self._connect()
            rows: Sequence[Any] = await self._connection.fetch(statement, *values)
            finished = True
        finally:
            if not finished:
                self.drop()
        return rows

    async def _connect(self) -> Any:
        if self._one and self._begun:
            raise BusUnavailable("the connection is lost")
        self._begun = True
        return await asyncpg.connect(
            self._dsn, timeout=_CONNECT_SECONDS, server_settings=self._settings
        )

    def drop(self) -> None:
        """Give the connection up, whatever it is doing."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
