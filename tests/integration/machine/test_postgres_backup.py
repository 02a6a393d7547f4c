"""A base backup and the archive make the same cluster elsewhere; a damaged one is refused."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from deploy.machine.postgres import PostgresFailed, PostgresServer
from deploy.machine.postgres_backup import Vault
from tests.support.databases import in_memory, run_apart


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="hartline-backup-", dir=in_memory()))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def vault(folder: Path) -> Vault:
    return Vault(folder / "vault")


@pytest.fixture
def server(folder: Path, vault: Vault) -> Iterator[PostgresServer]:
    made = PostgresServer(folder / "here", vault.settings(60))
    made.start()
    yield made
    made.stop()


async def run(server: PostgresServer, *statements: str) -> list[int]:
    database = await asyncpg.connect(server.superuser_dsn())
    try:
        for each in statements:
            await database.execute(each)
        return [row[0] for row in await database.fetch("SELECT n FROM kept ORDER BY n")]
    finally:
        await database.close()


async def archived(server: PostgresServer) -> None:
    """What was written until now is in the archive when this returns."""
    database = await asyncpg.connect(server.superuser_dsn())
    try:
        segment = await database.fetchval("SELECT pg_walfile_name(pg_switch_wal())")
        while (
            await database.fetchval("SELECT last_archived_wal FROM pg_stat_archiver") or ""
        ) < segment:
            pass
    finally:
        await database.close()


def elsewhere(folder: Path, server: PostgresServer) -> PostgresServer:
    made = PostgresServer(folder / "elsewhere")
    made.home.mkdir()
    made.home.chmod(0o711)
    shutil.copy2(server.home / "superuser-password", made.home)
    return made


def test_what_is_in_the_archive_is_there_again_and_nothing_newer(
    folder: Path, vault: Vault, server: PostgresServer
) -> None:
    run_apart(run(server, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (1)"))
    assert vault.take(server) > 0
    run_apart(run(server, "INSERT INTO kept VALUES (2)"))
    run_apart(archived(server))
    run_apart(run(server, "INSERT INTO kept VALUES (3)"))
    server.kill()
    shutil.rmtree(server.data)
    restored = elsewhere(folder, server)
    vault.restore(restored)
    restored.start()
    try:
        assert run_apart(run(restored)) == [1, 2]
        assert run_apart(run(restored, "INSERT INTO kept VALUES (4)")) == [1, 2, 4]
        with pytest.raises(FileExistsError):
            vault.restore(restored)
    finally:
        restored.stop()


@pytest.mark.parametrize("damage", ["flip", "remove", "add", "manifest"])
def test_a_backup_that_is_not_as_it_was_made_is_refused(
    folder: Path, vault: Vault, server: PostgresServer, damage: str
) -> None:
    run_apart(run(server, "CREATE TABLE kept (n int)"))
    vault.take(server)
    version = vault.base / "PG_VERSION"
    match damage:
        case "flip":
            version.write_bytes(b"17\n")
        case "remove":
            version.unlink()
        case "add":
            (vault.base / "base" / "stranger").touch()
        case _:
            manifest = vault.base / "backup_manifest"
            manifest.write_text(manifest.read_text().replace('"PG_VERSION"', '"PG_VERSIOM"'))
    with pytest.raises(PostgresFailed):
        vault.restore(elsewhere(folder, server))
