"""A real PostgreSQL server for the tests, and a fresh migrated database for each of them."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest

from deploy.machine import bootstrap
from deploy.machine.bootstrap import SchemaDsns
from deploy.machine.migrations import upgrade_all
from deploy.machine.postgres import PostgresServer
from shared.runtime.db import Database
from shared.runtime.wakes import Wakes

TEMPLATE = "hartline_template"
_PLENTY_BYTES = 4 * 1024**3
_IN_USE = f"SELECT 1 FROM pg_database WHERE datname = '{bootstrap.DATABASE}'"
T = TypeVar("T")


@dataclass
class TestServer:
    """A server with our roles and a template database with every migration that exists."""

    __test__ = False

    superuser_dsn: str
    passwords: Mapping[str, str]
    server: PostgresServer | None
    """Ours, to be stopped and killed; None when HARTLINE_TEST_DSN names a server."""
    strategy: str = "WAL_LOG"
    """How the template is copied. Where checkpoints cost nothing, as files takes half as long, and
    so does dropping the copy."""
    _numbers: Iterator[int] = field(default_factory=count)

    def new_database(self) -> "FreshDatabase":
        """A new database, a copy of the template. Takes 25 to 100 ms."""
        name = f"hartline_test_{os.getpid()}_{next(self._numbers)}"
        run_apart(_copy_template(self.superuser_dsn, name, self.strategy))
        return FreshDatabase(
            name,
            bootstrap.in_database(self.superuser_dsn, name),
            bootstrap.schema_dsns(self.superuser_dsn, self.passwords, name),
        )

    def describe(self) -> str:
        """Which server this is, for the end of the test run."""
        version = run_apart(_fetchval(self.superuser_dsn, "SHOW server_version"))
        return f"PostgreSQL {version}, {'from the wheel' if self.server else 'HARTLINE_TEST_DSN'}"

    def drop(self, database: "FreshDatabase") -> None:
        drop_database(self.superuser_dsn, database.name)


@dataclass
class FreshDatabase:
    """One database with every schema, its DSNs, and what was opened on it."""

    name: str
    superuser_dsn: str
    dsns: Mapping[str, SchemaDsns]
    """By schema: intake, notify, deadlines, audit, bus; each with `.app` and `.owner`."""
    _opened: list[Database] = field(default_factory=list)

    def open(
        self, schema: str, *, wakes: Wakes | None = None, owner: bool = False, pool_size: int = 10
    ) -> Database:
        """Open as the schema's runtime role (or its owner); closed at the end of the test."""
        dsn = self.dsns[schema].owner if owner else self.dsns[schema].app
        name = f"test-{schema}"
        opened = Database.open(dsn, wakes or Wakes(), name=name, pool_size=pool_size)
        self._opened.append(opened)
        return opened

    async def close(self) -> None:
        while self._opened:
            await self._opened.pop().close()


@contextmanager
def test_server() -> Iterator[TestServer]:
    """The server named by HARTLINE_TEST_DSN (a superuser's DSN), or one of our own."""
    passwords = {role: f"test-{role}" for role in bootstrap.role_names()}
    foreign = os.environ.get("HARTLINE_TEST_DSN")
    if foreign:
        server = TestServer(foreign, passwords, None)
        _refuse_in_use(server)
        _make_template(server)
        yield server
        return
    memory = in_memory()
    home = Path(tempfile.mkdtemp(prefix="hartline-test-", dir=memory))
    own = PostgresServer(home, {"max_wal_size": "256MB", "scram_iterations": "1"})
    try:
        own.start()
        strategy = "FILE_COPY" if memory else "WAL_LOG"
        server = TestServer(own.superuser_dsn(), passwords, own, strategy)
        _make_template(server)
        yield server
    finally:
        own.stop()
        shutil.rmtree(home, ignore_errors=True)


def _refuse_in_use(server: TestServer) -> None:
    """The tests set every role's password, which would lock out what runs on that server."""
    if run_apart(_fetchval(server.superuser_dsn, _IN_USE)):
        raise pytest.UsageError(
            f"HARTLINE_TEST_DSN names a server that has a database {bootstrap.DATABASE}: give the "
            "tests a server of their own."
        )


def in_memory() -> Path | None:
    """Memory, where there is plenty: a new database takes 25 ms there and 100 ms on a disk.

    The server's settings stay durable; tests that kill it kill processes, not the machine.
    """
    memory = Path("/dev/shm")
    try:
        return memory if shutil.disk_usage(memory).free > _PLENTY_BYTES else None
    except OSError:
        return None


def _make_template(server: TestServer) -> None:
    dsn = server.superuser_dsn
    run_apart(_execute(dsn, f"DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE)"))
    run_apart(bootstrap.make_roles(dsn, server.passwords))
    run_apart(bootstrap.make_database(dsn, TEMPLATE))
    upgrade_all(bootstrap.schema_dsns(dsn, server.passwords, TEMPLATE))


async def _copy_template(dsn: str, name: str, strategy: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            f'CREATE DATABASE "{name}" TEMPLATE {TEMPLATE} STRATEGY {strategy}'
        )
        await bootstrap.close_to_strangers(connection, name)
    finally:
        await connection.close()


def drop_database(superuser_dsn: str, name: str) -> None:
    """Drop it if it is there, whoever is connected."""
    run_apart(_execute(superuser_dsn, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))


async def _fetchval(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def run_apart(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a thread, so that the tests' own event loop is left alone."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()
