"""The server that we make ourselves: durable, private, and the same after a crash."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from deploy.machine.postgres import PostgresFailed, PostgresServer
from deploy.machine.postgres_wheel import check_reachable
from shared.runtime.db import Database, check_server
from shared.runtime.wakes import Wakes

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One of our own whose home has too long a name for a Unix socket."""
    folder = Path(tempfile.mkdtemp(prefix="hartline-test-"))
    folder.chmod(0o711)
    made = PostgresServer(folder / ("long" * 30))
    made.start()
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)


async def ask(dsn: str, question: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


async def test_what_was_committed_survives_sigkill_of_every_process(server: PostgresServer) -> None:
    dsn = server.superuser_dsn()
    await ask(dsn, "CREATE TABLE kept AS SELECT 7 AS value")
    server.kill()
    assert not server.alive
    server.start()
    assert server.superuser_dsn() == dsn
    assert await ask(dsn, "SELECT value FROM kept") == 7


async def test_an_orderly_stop_keeps_the_dsn_too(server: PostgresServer) -> None:
    dsn = server.superuser_dsn()
    server.stop()
    server.start()
    assert await ask(dsn, "SELECT 1") == 1


async def test_it_is_a_server_that_the_services_accept(server: PostgresServer) -> None:
    database = Database.open(server.superuser_dsn(), Wakes(), name="test")
    try:
        await check_server(database)
    finally:
        await database.close()


async def test_it_listens_on_no_network_and_trusts_nobody(server: PostgresServer) -> None:
    assert await ask(server.superuser_dsn(), "SHOW listen_addresses") == ""
    methods = "SELECT string_agg(DISTINCT auth_method, ',') FROM pg_hba_file_rules"
    assert await ask(server.superuser_dsn(), methods) == "scram-sha-256"


async def test_what_a_failing_statement_holds_is_not_in_its_log(server: PostgresServer) -> None:
    """P5: an error's text, its DETAIL and the statement may hold personal data."""
    dsn = server.superuser_dsn()
    await ask(dsn, "CREATE TABLE once AS SELECT 'Test Child Canary' AS name")
    await ask(dsn, "CREATE UNIQUE INDEX ON once (name)")
    for statement in ("INSERT INTO once VALUES ('Test Child Canary')", "SELECT 'Canary'::integer"):
        with pytest.raises(asyncpg.PostgresError):
            await ask(dsn, statement)
    with pytest.raises(asyncpg.PostgresError):
        await ask(dsn.replace("/postgres?", "/no_such_database?"), "SELECT 1")
    log = server.log.read_text()
    assert "no_such_database" in log
    assert "Canary" not in log


def test_the_superusers_password_and_the_data_are_private(server: PostgresServer) -> None:
    assert (server.home / "superuser-password").stat().st_mode & 0o077 == 0
    assert server.data.stat().st_mode & 0o077 == 0
    if os.geteuid() == 0:
        assert server.data.stat().st_uid != 0


def test_a_home_that_its_user_cannot_reach_is_refused_with_what_to_do() -> None:
    folder = Path(tempfile.mkdtemp(prefix="hartline-test-"))
    try:
        with pytest.raises(PostgresFailed, match="choose another HARTLINE_HOME"):
            check_reachable(folder / "home")
        folder.chmod(0o711)
        check_reachable(folder / "home")
    finally:
        shutil.rmtree(folder)
