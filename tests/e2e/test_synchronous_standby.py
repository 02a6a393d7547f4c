"""deploy/postgres/primary.conf and standby.conf, tried with three servers on this machine: a commit
that was answered is on a second disk, whichever dies."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from deploy.machine.postgres import PostgresServer
from tests.support.standby import Standby, primary, settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
NAMES = ("hartline_a", "hartline_b")


@pytest.fixture
def three() -> Iterator[tuple[PostgresServer, list[Standby]]]:
    """A primary and both its standbys, started."""
    home = Path(tempfile.mkdtemp(prefix="hartline-standby-", dir="/tmp"))
    home.chmod(0o711)
    servers: list[PostgresServer] = [primary(home / "primary")]
    try:
        standbys = [Standby(home / name, servers[0], name) for name in NAMES]
        servers += standbys
        for standby in standbys:
            standby.start()
        yield servers[0], standbys
    finally:
        for server in reversed(servers):
            if server.alive:
                server.kill()
        shutil.rmtree(home, ignore_errors=True)


@asynccontextmanager
async def connected(server: PostgresServer) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(server.superuser_dsn())
    try:
        yield connection
    finally:
        connection.terminate()


async def made_synchronous(server: PostgresServer) -> None:
    """As the file says, from now on; until both are known to follow."""
    names = settings("primary.conf")["synchronous_standby_names"]
    async with connected(server) as connection, asyncio.timeout(30):
        await connection.execute("CREATE TABLE kept (number integer PRIMARY KEY)")
        await connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
        await connection.execute("SELECT pg_reload_conf()")
        while await states(connection) != dict.fromkeys(NAMES, "quorum"):
            await asyncio.sleep(0.05)


async def states(connection: asyncpg.Connection) -> dict[str, str]:
    rows = await connection.fetch("SELECT application_name, sync_state FROM pg_stat_replication")
    return {row["application_name"]: row["sync_state"] for row in rows}


async def keep(server: PostgresServer, number: int, seconds: float = 20) -> None:
    async with connected(server) as connection, asyncio.timeout(seconds):
        await connection.execute("INSERT INTO kept VALUES ($1)", number)


async def test_p1_what_was_committed_is_on_a_standby_when_the_primary_is_lost(
    three: tuple[PostgresServer, list[Standby]],
) -> None:
    """ANY 1: the further of the two has it, and that is the one to promote."""
    first, standbys = three
    await made_synchronous(first)
    for number in range(200):
        await keep(first, number)
    first.kill()
    shutil.rmtree(first.data)
    further = max([(await received(standby), standby.name) for standby in standbys])[1]
    chosen = next(standby for standby in standbys if standby.name == further)
    async with connected(chosen) as connection:
        assert await connection.fetchval("SELECT pg_promote(true, 30)")
        assert await connection.fetchval("SELECT count(*) FROM kept") == 200


async def received(standby: Standby) -> int:
    """How far it has it on disk, as a number that grows."""
    async with connected(standby) as connection:
        place = "pg_wal_lsn_diff(pg_last_wal_receive_lsn(), '0/0')"
        return int(await connection.fetchval(f"SELECT {place}::bigint"))


async def test_one_standby_may_be_away_and_nobody_waits(
    three: tuple[PostgresServer, list[Standby]],
) -> None:
    first, standbys = three
    await made_synchronous(first)
    standbys[0].kill()
    await keep(first, 1, seconds=10)


async def test_without_any_standby_a_commit_waits_and_is_not_lost(
    three: tuple[PostgresServer, list[Standby]],
) -> None:
    """Nobody is answered before a second disk has it; once one is back, the waiting one is."""
    first, standbys = three
    await made_synchronous(first)
    for standby in standbys:
        standby.kill()
    waiting = asyncio.create_task(keep(first, 1, seconds=60))
    _, pending = await asyncio.wait([waiting], timeout=2)
    assert pending == {waiting}
    standbys[0].start()
    await waiting


def test_the_files_say_nothing_against_each_other() -> None:
    ours = settings("hartline.conf") | settings("primary.conf") | settings("standby.conf")
    assert ours["fsync"] == ours["full_page_writes"] == ours["synchronous_commit"] == "on"
    assert all(name in ours["synchronous_standby_names"] for name in NAMES)
