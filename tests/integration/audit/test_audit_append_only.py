"""P7: the runtime role can add to the log and read it, and nothing else."""

from collections.abc import AsyncIterator

import pytest
from asyncpg import PostgresError
from sqlalchemy import text

from services.audit.sealer import Sealer, Sealing
from shared.runtime.db import Database
from tests.integration.audit.conftest import submit
from tests.support.audit import ORIGIN, signer
from tests.support.databases import FreshDatabase

REFUSED = [
    *(
        statement.format(table=table)
        for table in ("entries", "nodes", "checkpoints")
        for statement in (
            "DELETE FROM audit.{table}",
            "TRUNCATE audit.{table}",
            "ALTER TABLE audit.{table} DISABLE TRIGGER {table}_append_only",
            "ALTER TABLE audit.{table} DISABLE TRIGGER ALL",
            "DROP TRIGGER {table}_append_only ON audit.{table}",
            "DROP TABLE audit.{table} CASCADE",
        )
    ),
    "UPDATE audit.entries SET leaf = 'changed'",
    "UPDATE audit.entries SET kind = 'completed' WHERE index = 0",
    "UPDATE audit.nodes SET hash = 'changed'",
    "UPDATE audit.checkpoints SET note = 'changed'",
    "INSERT INTO audit.entries SELECT * FROM audit.entries "
    "ON CONFLICT (index) DO UPDATE SET leaf = 'changed'",
    "CREATE OR REPLACE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql "
    "AS 'BEGIN RETURN NULL; END'",
    "SET session_replication_role = replica",
    "UPDATE audit.submissions SET leaf = 'changed'",
    "TRUNCATE audit.submissions",
    "DELETE FROM audit.head",
    "INSERT INTO audit.head (id, size, peaks) VALUES (2, 0, '{}')",
    "SET ROLE hartline_audit_owner",
]


@pytest.fixture
async def db(module_database: FreshDatabase) -> AsyncIterator[Database]:
    """One database for all of these: none of them may change it."""
    yield module_database.open("audit")
    await module_database.close()


@pytest.fixture
async def filled(db: Database, module_database: FreshDatabase) -> None:
    sealing = Sealing(ORIGIN, (signer(1),))
    await submit(db, range(3))
    await Sealer(db, module_database.dsns["audit"].app, sealing).drain()
    await submit(db, [9])


@pytest.mark.parametrize("statement", REFUSED)
@pytest.mark.usefixtures("filled")
async def test_the_runtime_role_cannot(db: Database, statement: str) -> None:
    with pytest.raises(PostgresError) as refused:
        async with db.transaction() as session:
            await session.execute(text(statement))
    assert refused.value.sqlstate == "42501", str(refused.value)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit.entries SET leaf = 'changed'",
        "DELETE FROM audit.checkpoints",
        "TRUNCATE audit.nodes",
    ],
)
@pytest.mark.usefixtures("filled")
async def test_even_the_owner_is_refused_unless_the_trigger_is_taken_away_first(
    module_database: FreshDatabase, statement: str
) -> None:
    owner = module_database.open("audit", owner=True)
    with pytest.raises(PostgresError, match="append-only"):
        async with owner.transaction() as session:
            await session.execute(text(statement))
