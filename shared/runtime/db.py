"""PostgreSQL through asyncpg: one pool of connections and one way to hold a transaction."""

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import asyncpg
from sqlalchemy import URL, Executable, make_url, text

from shared.runtime import metrics, pools
from shared.runtime.arrays import lists_alone
from shared.runtime.connections import Connections
from shared.runtime.errors import Misconfigured
from shared.runtime.session import Row, Rows, Session, Values
from shared.runtime.wakes import Wakes

__all__ = ["Database", "Rows", "Session"]

_WAKES = "hartline.wakes"
_CONNECT_SECONDS = 5.0
_STATEMENT_SECONDS = 30.0
_WAIT_SECONDS = 30.0
_STATEMENTS_KEPT = 512

BY_INDEX = {"enable_seqscan": "off", "jit": "off"}
"""Of a connection. Its plans are kept: one that was made while a table was small and analysed reads
it whole, for every row of a batch, until the next ANALYZE. What has no index to go by is read as it
was; before PostgreSQL 18 that looks dear enough to be compiled first."""

FORGETFUL = "(SELECT set_config('synchronous_commit', 'off', true)) = 'off'"
"""A condition that always holds, for a statement that is a transaction of its own: its commit
then does not wait for the disk (`durable=False`, without a round trip for it)."""
_ARRAYS = "SELECT " + ", ".join(
    f"CAST(NULL AS {each}[])"
    for each in ("text", "bytea", "bigint", "integer", "smallint", "boolean", "timestamptz")
)
"""Those that our statements are given. asyncpg asks the server about each that it meets, which
takes longer than most statements: so it meets all of them at once."""
_FLUSH = text("SELECT pg_logical_emit_message(true, 'hartline.flush', '')")


class UnsafeServer(Misconfigured):
    """The PostgreSQL server may lose what it acknowledged. Mend its settings, then start again."""


def async_url(dsn: str) -> URL:
    """The DSN for SQLAlchemy with asyncpg, whichever way `postgresql://` was spelled."""
    return make_url(dsn).set(drivername="postgresql+asyncpg")


def plain_dsn(dsn: str) -> str:
    """The DSN as asyncpg itself reads it. It holds the password: do not print it."""
    return async_url(dsn).set(drivername="postgresql").render_as_string(hide_password=False)


class Database:
    """One service's database, as its runtime role."""

    def __init__(self, dsn: str, wakes: Wakes, *, name: str, pool_size: int) -> None:
        self.wakes = wakes
        self._dsn = plain_dsn(dsn)
        self._name = name
        self._pool_size = pool_size
        self._connections: Connections | None = None
        self.wait_seconds = _WAIT_SECONDS
        """How long a transaction waits for a free connection."""

    @classmethod
    def open(cls, dsn: str, wakes: Wakes, *, name: str, pool_size: int = 10) -> "Database":
        """Connects lazily. `name` is shown in pg_stat_activity."""
        lists_alone()
        return cls(dsn, wakes, name=name, pool_size=pool_size)

    @asynccontextmanager
    async def transaction(
        self, *, durable: bool = True, planned_once: bool = False
    ) -> AsyncIterator[Session]:
        """One unit of work: committed on leaving, rolled back on an exception.

        Wakes asked for with `wake_after_commit` are sent once the commit has succeeded. Without
        `durable` the commit does not wait for the disk: only for what is worthless after a crash
        of the server, as a lease is. `planned_once`: a plan is kept for whatever values come; for
        statements that always go by the same indexes and take longer to plan than to run.
        """
        async with self._taken() as connection:
            session = Session(connection)
            metrics.ROUND_TRIPS.inc(2)
            await connection.execute(_begin(durable, planned_once))
            try:
                yield session
            except BaseException:
                await _roll_back(connection)
                raise
            finally:
                session.end()
            if await connection.execute("COMMIT") != "COMMIT":
                # A statement had failed and nobody had noticed: the server rolled back.
                raise asyncpg.TransactionRollbackError("nothing was committed")
        metrics.TRANSACTIONS.inc()
        session.committed()
        for name, within in session.info.pop(_WAKES, {}).items():
            if within:
                self.wakes.wake_within(name, within)
            else:
                self.wakes.wake(name)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Session]:
        """One connection, for statements that are a transaction each.

        A crash of the server ends every connection. So as long as its statements succeed, the
        server has forgotten nothing of what the first of them read or committed.
        """
        async with self._taken() as connection:
            session = Session(connection, alone=True)
            try:
                yield session
            finally:
                session.end()

    async def execute(self, statement: Executable, parameters: Values | None = None) -> Rows:
        """One statement as a transaction of its own: one round trip instead of three."""
        async with self._taken() as connection:
            return await Session(connection, alone=True).execute(statement, parameters)

    async def close(self) -> None:
        if self._connections is not None:
            connections, self._connections = self._connections, None
            connections.terminate()

    def _taken(self) -> AbstractAsyncContextManager[Any]:
        """Sessions set nothing that outlives their transaction: each is given back as it was."""
        if self._connections is None:
            self._connections = Connections(self._connect, self._pool_size)
            pools.show_database(self._connections)
        return self._connections.taken(self.wait_seconds)

    async def _connect(self) -> Any:
        connection = await asyncpg.connect(
            self._dsn,
            record_class=Row,
            timeout=_CONNECT_SECONDS,
            command_timeout=_STATEMENT_SECONDS,
            statement_cache_size=_STATEMENTS_KEPT,
            server_settings={
                "application_name": self._name,
                "timezone": "UTC",
                # A frozen process or a dead host must not keep its row locks.
                "idle_in_transaction_session_timeout": "15s",
                "tcp_keepalives_idle": "5",
                "tcp_keepalives_interval": "5",
                "tcp_keepalives_count": "2",
                **BY_INDEX,
            },
        )
        try:
            await _speak_json(connection)
            await connection.fetchval(_ARRAYS)
        except BaseException:
            connection.terminate()
            raise
        return connection


def _begin(durable: bool, planned_once: bool) -> str:
    forgetful = "" if durable else "; SET LOCAL synchronous_commit = off"
    return f"BEGIN{forgetful}{'; SET LOCAL plan_cache_mode = force_generic_plan' * planned_once}"


async def _roll_back(connection: Any) -> None:
    """As far as there is still a connection; without one the server does it."""
    with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        await connection.execute("ROLLBACK")


async def _speak_json(connection: Any) -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, encoder=json.dumps, decoder=json.loads, schema="pg_catalog"
        )


def wake_after_commit(session: Session, name: str, within: float = 0.0) -> None:
    """Ask for a wake-up of `name` if, and only once, this session's transaction commits.

    `within`: seconds that it may be late, so that one does for many; the shortest asked for counts.
    """
    asked = session.info.setdefault(_WAKES, {})
    asked[name] = min(within, asked.get(name, within))


async def flush(session: Session) -> None:
    """Outside of a transaction: return when whatever was committed before is on disk."""
    await session.execute(_FLUSH)


async def check_server(db: Database) -> None:
    """Raises UnsafeServer, saying what to do, when the server may forget a commit."""
    async with db.transaction() as session:
        unsafe = await session.scalars(
            text(
                "SELECT name FROM pg_settings WHERE setting = 'off' AND name IN "
                "('fsync', 'full_page_writes', 'synchronous_commit') ORDER BY name"
            )
        )
    if unsafe:
        raise UnsafeServer(
            f"PostgreSQL runs with {', '.join(unsafe)} = off and may lose accepted referrals: "
            "set them to on in postgresql.conf and restart it."
        )


_AWAY = ("08", "40", "53", "57")
"""SQLSTATE classes: connection, rollback, resources, operator intervention."""


def unavailable(error: BaseException) -> bool:
    """Whether the database was away or too busy, so that the same call may succeed later."""
    if isinstance(error, OSError | asyncpg.InterfaceError):
        return True
    # Another process changed a table: this connection's plans are stale, the next call's are not.
    if isinstance(error, asyncpg.InvalidCachedStatementError):
        return True
    state = getattr(error, "sqlstate", None)
    return isinstance(state, str) and state[:2] in _AWAY
