"""A transaction's session: statements are SQLAlchemy's, asyncpg runs them on one connection.

SQLAlchemy's own session costs a process five times as much per statement (docs/adr/0012).
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any

import asyncpg
from sqlalchemy import Executable

from shared.runtime import metrics
from shared.runtime.statements import compiled

Values = Mapping[str, Any]


class Row(asyncpg.Record):  # type: ignore[misc]
    """A row whose columns are attributes too."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


@cache
def row_of(columns: tuple[str, ...]) -> type[Row]:
    """The class of rows with these columns: as properties they are read in a tenth of the time."""
    named = {name: property(itemgetter(name)) for name in columns if not hasattr(Row, name)}
    return type("Row", (Row,), {"__slots__": (), **named})


class Rows(list[Any]):
    """What a statement returned: rows that know their columns by name and by position."""

    def all(self) -> Sequence[Any]:
        return self

    def first(self) -> Any:
        """The first row, or None."""
        return self[0] if self else None

    def one(self) -> Any:
        """The only row. Raises ValueError when there is not exactly one."""
        (row,) = self
        return row

    def scalars(self) -> list[Any]:
        """The first column."""
        return [row[0] for row in self]

    def mappings(self) -> "Rows":
        """The rows as dictionaries."""
        return Rows(dict(row) for row in self)


class _Ended:
    """In place of a connection that somebody else may have by now."""

    def __getattr__(self, name: str) -> Any:
        raise asyncpg.InterfaceError("this session has ended")


class Session:
    """One transaction. Statements are sent as they come; whoever opened it commits.

    `alone`: there is none, and each statement is one.
    """

    def __init__(self, connection: Any, *, alone: bool = False) -> None:
        self._connection = connection
        self._alone = alone
        self._after_commit: list[Callable[[], None]] = []
        self.info: dict[str, Any] = {}
        """Whatever is worth knowing again within this transaction."""

    def end(self) -> None:
        """Its connection is given back: from now on every statement raises InterfaceError."""
        self._connection = _Ended()

    async def execute(
        self, statement: Executable, parameters: Values | Sequence[Values] | None = None
    ) -> Rows:
        """Run a statement; with a sequence of parameters, once for each of them.

        Raises asyncpg's errors.
        """
        if parameters is not None and not isinstance(parameters, Mapping):
            return await self._many(statement, parameters)
        metrics.ROUND_TRIPS.inc()
        given = parameters or {}
        ready = compiled(statement, parameters)
        rows = await self._connection.fetch(ready.sql, *ready.values(given), record_class=ready.row)
        if self._alone:
            metrics.TRANSACTIONS.inc()
        if rows and ready.row is None:
            ready.row = row_of(tuple(rows[0].keys()))
        return Rows(rows)

    async def scalar(self, statement: Executable, parameters: Values | None = None) -> Any:
        """The first column of the first row; None without one."""
        metrics.ROUND_TRIPS.inc()
        ready = compiled(statement, parameters)
        return await self._connection.fetchval(ready.sql, *ready.values(parameters or {}))

    async def scalars(self, statement: Executable, parameters: Values | None = None) -> list[Any]:
        """The first column of every row."""
        return (await self.execute(statement, parameters)).scalars()

    async def stream(
        self, statement: Executable, parameters: Values | None = None
    ) -> AsyncIterator[Any]:
        """Rows as they come, for results that are too large to hold."""
        ready = compiled(statement, parameters)
        async for row in self._connection.cursor(ready.sql, *ready.values(parameters or {})):
            yield row

    def after_commit(self, act: Callable[[], None]) -> None:
        """Call `act` once this transaction is committed, and only then."""
        self._after_commit.append(act)

    def committed(self) -> None:
        """For whoever commits."""
        for act in self._after_commit:
            act()

    async def _many(self, statement: Executable, rows: Sequence[Values]) -> Rows:
        if not rows:
            return Rows()
        metrics.ROUND_TRIPS.inc()
        ready = compiled(statement, rows[0])
        values = [ready.values(row) for row in rows]
        return Rows(await self._connection.fetchmany(ready.sql, values))
