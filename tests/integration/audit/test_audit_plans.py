"""Submitting and appending are planned while the log is small, and the plans are kept."""

from sqlalchemy import text

from services.audit import store
from shared.runtime.db import Database
from tests.integration.audit.conftest import as_superuser, submission
from tests.support.databases import FreshDatabase

_ONE_BY_ONE = 10
_READ = text(
    "SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0) "
    "FROM pg_stat_xact_user_tables WHERE schemaname = 'audit'"
)


async def test_an_entry_costs_the_same_however_long_the_log_is(database: FreshDatabase) -> None:
    """Also where autovacuum came by while it was short."""
    db = database.open("audit", pool_size=1)
    await append(db, 0, 3)
    await as_superuser(database, "ANALYZE")
    for number in range(3, 3 + _ONE_BY_ONE):
        await append(db, number, 1)
    costs = [await append(db, start, 50) for start in range(3 + _ONE_BY_ONE, 300, 50)]
    assert costs[-1] == costs[0]


async def append(db: Database, start: int, count: int) -> int:
    """How many rows were read for it."""
    async with db.transaction() as session:
        before = await session.scalar(_READ)
        await store.submit(session, [submission(start + n) for n in range(count)])
        assert len(await store.append_entries(session, start, 100)) == count
        return int(await session.scalar(_READ) - before)
