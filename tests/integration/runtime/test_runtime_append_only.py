"""P7: what is append-only stays as it is, whoever tries."""

from collections.abc import AsyncIterator

import pytest
from asyncpg import PostgresError
from sqlalchemy import text

from shared.runtime.append_only import append_only
from shared.runtime.db import Database, Session
from tests.support.databases import FreshDatabase


class Op:
    """`alembic.op`, as far as append_only needs it."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def execute(self, sqltext: str) -> None:
        self.statements.append(sqltext)


async def make_ledger(session: Session) -> None:
    if await session.scalar(text("SELECT to_regclass('bus.ledger')")) is not None:
        return
    op = Op()
    append_only(op, "bus", "ledger")
    await session.execute(text("CREATE TABLE bus.ledger (id int PRIMARY KEY, what text)"))
    await session.execute(text("INSERT INTO bus.ledger VALUES (1, 'first')"))
    for statement in op.statements:
        await session.execute(text(statement))


@pytest.fixture
async def ledger(module_database: FreshDatabase) -> AsyncIterator[Database]:
    """An append-only table `bus.ledger` with one row, as the runtime role may use it."""
    async with module_database.open("bus", owner=True).transaction() as session:
        await make_ledger(session)
    yield module_database.open("bus")
    await module_database.close()


CHANGES = [
    "UPDATE bus.ledger SET what = 'x'",
    "UPDATE bus.ledger SET what = 'x' WHERE false",
    "DELETE FROM bus.ledger",
    "TRUNCATE bus.ledger",
    "INSERT INTO bus.ledger VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET what = 'x'",
]


@pytest.mark.parametrize("change", CHANGES)
async def test_the_runtime_role_cannot_change_what_is_append_only(
    ledger: Database, change: str
) -> None:
    with pytest.raises(PostgresError, match=r"permission denied|append-only"):
        async with ledger.transaction() as session:
            await session.execute(text(change))
    assert await rows(ledger) == [(1, "first")]


@pytest.mark.parametrize("change", CHANGES)
async def test_not_even_the_owner_changes_it_by_mistake(
    ledger: Database, module_database: FreshDatabase, change: str
) -> None:
    with pytest.raises(PostgresError, match=r"bus\.ledger is append-only: [A-Z]+ refused"):
        async with module_database.open("bus", owner=True).transaction() as session:
            await session.execute(text(change))
    assert await rows(ledger) == [(1, "first")]


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE bus.ledger DISABLE TRIGGER ledger_append_only",
        "DROP TRIGGER ledger_append_only ON bus.ledger",
        "CREATE OR REPLACE FUNCTION bus.refuse_change() RETURNS trigger LANGUAGE plpgsql "
        "AS 'BEGIN RETURN NEW; END'",
        "SET session_replication_role = replica",
        "DROP TABLE bus.ledger",
    ],
)
async def test_the_runtime_role_cannot_take_the_protection_away(
    ledger: Database, change: str
) -> None:
    with pytest.raises(PostgresError, match=r"must be owner|permission denied|no privileges"):
        async with ledger.transaction() as session:
            await session.execute(text(change))


async def test_adding_and_adding_once_stay_possible(ledger: Database) -> None:
    async with ledger.transaction() as session:
        for _ in range(2):
            await session.execute(
                text("INSERT INTO bus.ledger VALUES (2, 'second') ON CONFLICT DO NOTHING")
            )
    assert await rows(ledger) == [(1, "first"), (2, "second")]


async def rows(db: Database) -> list[tuple[int, str]]:
    async with db.transaction() as session:
        found = await session.execute(text("SELECT id, what FROM bus.ledger ORDER BY id"))
        return [(row.id, row.what) for row in found]
