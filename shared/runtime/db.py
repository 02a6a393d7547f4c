"""PostgreSQL through SQLAlchemy and asyncpg: one engine and one way to hold a transaction."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import URL, exc, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from shared.runtime.errors import Misconfigured
from shared.runtime.wakes import Wakes

_WAKES = "hartline.wakes"


class UnsafeServer(Misconfigured):
    """The PostgreSQL server may lose what it acknowledged. Mend its settings, then start again."""


def async_url(dsn: str) -> URL:
    """The DSN for asyncpg, whichever way `postgresql://` was spelled."""
    return make_url(dsn).set(drivername="postgresql+asyncpg")


def plain_dsn(dsn: str) -> str:
    """The DSN as asyncpg itself reads it. It holds the password: do not print it."""
    return async_url(dsn).set(drivername="postgresql").render_as_string(hide_password=False)


class Database:
    """One service's database, as its runtime role."""

    def __init__(self, engine: AsyncEngine, wakes: Wakes) -> None:
        self.engine = engine
        self.wakes = wakes

    @classmethod
    def open(cls, dsn: str, wakes: Wakes, *, name: str, pool_size: int = 10) -> "Database":
        """Connects lazily. `name` is shown in pg_stat_activity."""
        engine = create_async_engine(
            async_url(dsn),
            pool_size=pool_size,
            max_overflow=0,
            pool_pre_ping=False,
            pool_recycle=1800,
            hide_parameters=True,
            connect_args={
                "timeout": 5,
                "command_timeout": 30,
                "server_settings": {
                    "application_name": name,
                    "timezone": "UTC",
                    # A frozen process or a dead host must not keep its row locks.
                    "idle_in_transaction_session_timeout": "15s",
                    "tcp_keepalives_idle": "5",
                    "tcp_keepalives_interval": "5",
                    "tcp_keepalives_count": "2",
                },
            },
        )
        return cls(engine, wakes)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """One unit of work: committed on leaving, rolled back on an exception.

        Wakes asked for with `wake_after_commit` are sent once the commit has succeeded.
        """
        async with AsyncSession(self.engine, expire_on_commit=False) as session:
            async with session.begin():
                yield session
            for name in session.info.pop(_WAKES, ()):
                self.wakes.wake(name)

    async def close(self) -> None:
        await self.engine.dispose()


def wake_after_commit(session: AsyncSession, name: str) -> None:
    """Ask for a wake-up of `name` if, and only once, this session's transaction commits."""
    session.info.setdefault(_WAKES, set()).add(name)


async def forget_on_crash(session: AsyncSession) -> None:
    """Let this transaction commit without waiting for the disk.

    Only for what is worthless after a crash of the server (a lease), or what is rolled back
    together with its cause (an inbox row with the cursor that read it).
    """
    await session.execute(text("SET LOCAL synchronous_commit = off"))


async def check_server(engine: AsyncEngine) -> None:
    """Raises UnsafeServer, saying what to do, when the server may forget a commit."""
    async with engine.connect() as connection:
        rows = await connection.execute(
            text(
                "SELECT name, setting FROM pg_settings WHERE setting = 'off' AND name IN "
                "('fsync', 'full_page_writes', 'synchronous_commit')"
            )
        )
        unsafe = sorted(row.name for row in rows)
    if unsafe:
        raise UnsafeServer(
            f"PostgreSQL runs with {', '.join(unsafe)} = off and may lose accepted referrals: "
            "set them to on in postgresql.conf and restart it."
        )


_AWAY = ("08", "40", "53", "57")
"""SQLSTATE classes: connection, rollback, resources, operator intervention."""


def unavailable(error: BaseException) -> bool:
    """Whether the database was away or too busy, so that the same call may succeed later."""
    if isinstance(error, OSError | exc.TimeoutError):
        return True
    if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
        return True
    cause = getattr(error, "orig", error)
    state = getattr(cause, "sqlstate", None)
    # Another process changed a table: this connection's plans are stale, the next call's are not.
    stale = type(cause).__name__ == "InvalidCachedStatementError"
    return stale or (isinstance(state, str) and state[:2] in _AWAY)
