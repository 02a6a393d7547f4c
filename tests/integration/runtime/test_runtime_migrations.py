"""Migrations against a real server."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.util import CommandError
from asyncpg import PostgresError
from sqlalchemy import text

from shared.runtime.errors import Misconfigured
from shared.runtime.migrate import SERVICES, check_drift, check_head, upgrade
from tests.support.databases import FreshDatabase

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("service", SERVICES)
async def test_the_tables_in_the_code_are_those_in_the_schema(
    module_database: FreshDatabase, service: str
) -> None:
    await asyncio.to_thread(check_drift, service, module_database.dsns[service].owner)


@pytest.mark.parametrize("service", SERVICES)
async def test_a_migrated_schema_is_at_head_and_the_runtime_role_can_tell(
    module_database: FreshDatabase, service: str
) -> None:
    db = module_database.open(service)
    await check_head(db, service)
    with pytest.raises(PostgresError, match="permission denied"):
        async with db.transaction() as session:
            await session.execute(text(f"DELETE FROM {service}.alembic_version"))
    await module_database.close()


async def test_two_processes_that_migrate_at_once_do_so_one_after_the_other(
    database: FreshDatabase,
) -> None:
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'bus'"
    async with database.open("bus", owner=True).transaction() as session:
        for table in await session.scalars(text(tables)):
            await session.execute(text(f"DROP TABLE bus.{table} CASCADE"))
    dsn = {"HARTLINE_BUS_OWNER_DSN": database.dsns["bus"].owner}
    ended = await asyncio.gather(*(asyncio.to_thread(alembic, dsn) for _ in range(2)))
    assert [process.returncode for process in ended] == [0, 0]
    await check_head(database.open("bus"), "bus")


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("DROP TABLE notify.alembic_version", "has no tables yet: run alembic -n notify upgrade"),
        ("DELETE FROM notify.alembic_version", "is behind this code: run alembic -n notify upgr"),
    ],
)
async def test_a_schema_that_is_behind_refuses_the_start_with_a_sentence(
    database: FreshDatabase, statement: str, sentence: str
) -> None:
    await run_as_owner(database, statement, schema="notify")
    with pytest.raises(Misconfigured, match=sentence):
        await check_head(database.open("notify"), "notify")


async def test_a_schema_that_is_ahead_lets_the_old_code_run(database: FreshDatabase) -> None:
    statement = "UPDATE notify.alembic_version SET version_num = '9999'"
    await run_as_owner(database, statement, schema="notify")
    await check_head(database.open("notify"), "notify")


def test_without_a_dsn_the_command_says_which_one_it_needs() -> None:
    ended = alembic({})
    assert ended.returncode != 0
    assert "HARTLINE_BUS_OWNER_DSN is not set" in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr


def alembic(settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HARTLINE_")}
    return subprocess.run(
        [sys.executable, "-m", "alembic", "-n", "bus", "upgrade", "head"],
        cwd=ROOT,
        env=environment | settings,
        capture_output=True,
        text=True,
        check=False,
    )


async def test_without_its_schema_a_migration_says_what_to_run_first(
    database: FreshDatabase,
) -> None:
    await run_as_owner(database, "DROP SCHEMA bus CASCADE")
    with pytest.raises(CommandError, match="does not exist: run the bootstrap first"):
        await asyncio.to_thread(upgrade, "bus", database.dsns["bus"].owner)


async def run_as_owner(database: FreshDatabase, statement: str, *, schema: str = "bus") -> None:
    async with database.open(schema, owner=True).transaction() as session:
        await session.execute(text(statement))
