"""Transactions, wakes and what counts as "away", against a real server."""

import asyncio
from collections import deque
from contextlib import suppress

import asyncpg
import pytest
from asyncpg import Connection, PostgresError, TransactionRollbackError, UniqueViolationError
from sqlalchemy import text

from shared.runtime.db import (
    Database,
    UnsafeServer,
    check_server,
    unavailable,
    wake_after_commit,
)
from shared.runtime.errors import Misconfigured
from shared.runtime.wakes import Wakes
from tests.support.databases import FreshDatabase


async def test_a_wake_is_sent_after_the_commit_and_never_after_a_rollback(
    database: FreshDatabase,
) -> None:
    wakes = Wakes()
    db = database.open("bus", wakes=wakes)
    async with db.transaction() as session:
        wake_after_commit(session, "relay")
        assert not await wakes.wait("relay", 0)
    assert await wakes.wait("relay", 0)
    with pytest.raises(RuntimeError):
        await fail(db)
    assert not await wakes.wait("relay", 0)


async def fail(db: Database) -> None:
    async with db.transaction() as session:
        wake_after_commit(session, "relay")
        raise RuntimeError


async def test_a_database_error_shows_no_parameter(database: FreshDatabase) -> None:
    """P5"""
    db = database.open("bus")
    with pytest.raises(PostgresError) as failed:
        async with db.transaction() as session:
            await session.execute(
                text("SELECT 1 / (length(:name) - 14)"), {"name": "Test Child One"}
            )
    assert "Child" not in str(failed.value)
    assert not unavailable(failed.value)


async def test_the_server_s_clock_is_read_in_utc(database: FreshDatabase) -> None:
    async with database.open("bus").transaction() as session:
        assert await session.scalar(text("SHOW timezone")) == "UTC"


async def test_a_row_knows_its_columns_by_name_the_first_time_and_ever_after(
    database: FreshDatabase,
) -> None:
    statement = text("SELECT 1 AS number, NULL AS nothing, 'x' AS keys WHERE :wanted")
    async with database.open("bus").transaction() as session:
        assert (await session.execute(statement, {"wanted": False})).first() is None
        for _ in range(3):
            row = (await session.execute(statement, {"wanted": True})).one()
            assert (row.number, row.nothing, row["keys"], row[0]) == (1, None, "x", 1)
            assert list(row.keys()) == ["number", "nothing", "keys"]
            assert dict(row) == {"number": 1, "nothing": None, "keys": "x"}
            assert getattr(row, "another", "none") == "none"


async def test_a_connection_asks_once_what_arrays_are(
    database: FreshDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time is 5 ms of the server's, on every connection that a burst opens."""
    asked, ask = 0, Connection._introspect_types

    async def counted(self: Connection, *given: object) -> object:
        nonlocal asked
        asked += 1
        return await ask(self, *given)

    monkeypatch.setattr(Connection, "_introspect_types", counted)
    db = database.open("bus")
    for each in ("text", "bytea", "bigint", "integer", "smallint", "boolean", "timestamptz"):
        assert await db.execute(text(f"SELECT unnest(CAST(:none AS {each}[]))"), {"none": []}) == []
    assert asked == 1


async def test_only_a_transaction_that_asks_may_be_forgotten(database: FreshDatabase) -> None:
    db = database.open("bus")
    async with db.transaction(durable=False) as session:
        assert await session.scalar(text("SHOW synchronous_commit")) == "off"
    async with db.transaction() as session:
        assert await session.scalar(text("SHOW synchronous_commit")) == "on"


async def test_a_server_that_may_forget_a_commit_refuses_the_start(
    database: FreshDatabase,
) -> None:
    """P1"""
    db = database.open("bus")
    await check_server(db)
    place = f'ROLE hartline_bus_app IN DATABASE "{database.name}"'
    async with db.transaction() as session:
        await session.execute(text(f"ALTER {place} SET synchronous_commit = off"))
    await database.close()
    with pytest.raises(UnsafeServer, match="synchronous_commit = off and may lose") as refused:
        await check_server(database.open("bus"))
    assert isinstance(refused.value, Misconfigured)


async def test_a_connection_cut_by_the_server_counts_as_away_and_the_next_call_works(
    database: FreshDatabase,
) -> None:
    db = database.open("bus", pool_size=1)
    with pytest.raises(PostgresError) as cut:
        async with db.transaction() as session:
            await session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert unavailable(cut.value)
    async with db.transaction() as session:
        assert await session.scalar(text("SELECT 1")) == 1


async def test_a_full_pool_and_a_server_that_is_not_there_count_as_away(
    database: FreshDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = database.open("bus", pool_size=1)
    async with db.transaction() as holding:
        await holding.execute(text("SELECT 1"))
        monkeypatch.setattr(db, "wait_seconds", 0.01)
        with pytest.raises(TimeoutError) as full:
            await select_one(db)
    assert unavailable(full.value)
    nobody = Database.open("postgresql://x:y@127.0.0.1:1/x", Wakes(), name="test")
    with pytest.raises(OSError, match="Connect call failed") as absent:
        await select_one(nobody)
    assert unavailable(absent.value)


async def select_one(db: Database) -> None:
    async with db.transaction() as session:
        await session.execute(text("SELECT 1"))


async def test_a_deadlock_counts_as_away(database: FreshDatabase) -> None:
    owner, db = database.open("bus", owner=True), database.open("bus")
    async with owner.transaction() as session:
        await session.execute(text("CREATE TABLE bus.pair (id int PRIMARY KEY, n int)"))
        await session.execute(text("INSERT INTO bus.pair VALUES (1, 0), (2, 0)"))
    met = asyncio.Barrier(2)

    async def update(first: int, second: int) -> None:
        async with db.transaction() as session:
            for number in (first, second):
                await session.execute(text(f"UPDATE bus.pair SET n = 1 WHERE id = {number}"))
                if number == first:
                    await met.wait()

    one, two = await asyncio.gather(update(1, 2), update(2, 1), return_exceptions=True)
    [error] = [found for found in (one, two) if found is not None]
    assert unavailable(error)


async def test_a_plan_made_stale_by_a_migration_counts_as_away(database: FreshDatabase) -> None:
    owner, db = database.open("bus", owner=True), database.open("bus", pool_size=1)
    async with owner.transaction() as session:
        await session.execute(text("CREATE TABLE bus.wide (id int)"))
    async with db.transaction() as session:
        await session.execute(text("SELECT * FROM bus.wide"))
    async with owner.transaction() as session:
        await session.execute(text("ALTER TABLE bus.wide ADD COLUMN more text"))
    with pytest.raises(PostgresError) as stale:
        async with db.transaction() as session:
            await session.execute(text("SELECT * FROM bus.wide"))
    assert unavailable(stale.value)
    async with db.transaction() as session:
        await session.execute(text("SELECT * FROM bus.wide"))


async def test_a_broken_constraint_is_not_the_server_s_absence(database: FreshDatabase) -> None:
    async with database.open("bus", owner=True).transaction() as session:
        await session.execute(text("CREATE TABLE bus.once (id int PRIMARY KEY)"))
        await session.execute(text("INSERT INTO bus.once VALUES (1)"))
    with pytest.raises(UniqueViolationError) as broken:
        async with database.open("bus").transaction() as session:
            await session.execute(text("INSERT INTO bus.once VALUES (1)"))
    assert not unavailable(broken.value)


async def test_a_failure_that_nobody_noticed_is_not_taken_for_a_commit(
    database: FreshDatabase,
) -> None:
    """The server answers COMMIT with ROLLBACK then, and raises nothing."""
    db = database.open("bus")
    with pytest.raises(TransactionRollbackError):
        async with db.transaction() as session:
            with suppress(PostgresError):
                await session.execute(text("SELECT 1 / 0"))


async def test_what_is_to_happen_after_the_commit_happens_then_or_never(
    database: FreshDatabase,
) -> None:
    db, done = database.open("bus"), []
    async with db.transaction() as session:
        session.after_commit(lambda: done.append("kept"))
        assert done == []
    with pytest.raises(RuntimeError):
        async with db.transaction() as session:
            session.after_commit(lambda: done.append("lost"))
            raise RuntimeError
    assert done == ["kept"]


@pytest.mark.parametrize(
    "given",
    [["a", "b"], ("a", "b"), {"a", "b"}, frozenset("ab"), {"a": 1, "b": 2}.keys(), deque("ab")],
)
async def test_any_collection_is_an_array(database: FreshDatabase, given: object) -> None:
    async with database.open("bus").transaction() as session:
        statement = text("SELECT each FROM unnest(CAST(:given AS text[])) AS each ORDER BY 1")
        assert await session.scalars(statement, {"given": given}) == ["a", "b"]


async def test_asyncpg_asks_of_no_value_by_abstract_classes_whether_it_is_an_array(
    database: FreshDatabase,
) -> None:
    """It knows an array by being a list: so it no longer takes what would pass for one."""
    database.open("bus")
    connection = await asyncpg.connect(database.superuser_dsn)
    try:
        with pytest.raises(asyncpg.DataError, match="container expected"):
            await connection.fetchval("SELECT cardinality(CAST($1 AS text[]))", ("a", "b"))
    finally:
        await connection.close()
