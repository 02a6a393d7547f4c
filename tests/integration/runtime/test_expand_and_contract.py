"""A change of a table in three steps, as docs/migrations.md says, while others use it."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared.runtime import migrate
from tests.change import revisions
from tests.change.revisions import COLUMN, CONTRACTED, EXPANDED, TABLES, Histories
from tests.support.databases import FreshDatabase

VALID = (
    "SELECT i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
    f"WHERE c.relname LIKE '%{COLUMN}' AND c.relnamespace = CAST(:schema AS regnamespace)"
)


@pytest.fixture
def histories(database: FreshDatabase) -> Iterator[Histories]:
    with revisions.written(database.dsns) as made:
        yield made


@pytest.mark.parametrize("schema", TABLES)
async def test_a_table_is_expanded_and_contracted_in_its_own_history(
    database: FreshDatabase, histories: Histories, schema: str
) -> None:
    db, owner = database.open(schema), database.dsns[schema].owner
    await histories.upgrade(schema, EXPANDED)
    async with db.transaction() as session:
        valid = list(await session.scalars(text(VALID), {"schema": schema}))
    assert valid == [True] * len(TABLES[schema])
    await migrate.check_head(db, schema)
    await histories.upgrade(schema, CONTRACTED)
    for table in TABLES[schema]:
        assert not await revisions.column_is_there(owner, schema, table)


async def test_what_cannot_have_its_lock_changes_nothing_and_is_run_again(
    database: FreshDatabase, histories: Histories, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everybody else waits behind it meanwhile: so it gives up."""
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT", "50ms")
    db, owner = database.open("notify"), database.dsns["notify"].owner
    async with db.transaction() as session:
        await session.execute(text("SELECT 1 FROM notify.agencies"))
        with pytest.raises(DBAPIError, match="lock timeout"):
            await histories.upgrade("notify", EXPANDED)
    assert not await revisions.column_is_there(owner, "notify", "deliveries")
    await histories.upgrade("notify", EXPANDED)
    assert await revisions.column_is_there(owner, "notify", "deliveries")


async def test_filling_passes_over_rows_that_somebody_works_on(
    database: FreshDatabase, histories: Histories
) -> None:
    await histories.upgrade("deadlines", EXPANDED)
    db, owner = database.open("deadlines"), database.dsns["deadlines"].owner
    add = (
        "INSERT INTO deadlines.inbox_streams (topic, source, subject, cursor, highest) "
        "SELECT 'referrals', '/hartline/intake', 'ref_' || n, 0, 0 FROM generate_series(1, 3) n"
    )
    async with db.transaction() as session:
        await session.execute(text(add))
    async with db.transaction() as session:
        await session.execute(
            text("SELECT 1 FROM deadlines.inbox_streams WHERE subject = 'ref_2' FOR UPDATE")
        )
        assert await revisions.backfill(owner, "deadlines", "inbox_streams") == 2
    assert await revisions.backfill(owner, "deadlines", "inbox_streams") == 1
