"""What a service with a slow clock puts into a window that has closed is found all the same."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from services.audit.reconciling import LATER, Reconciler
from services.audit.sides import Pair
from shared.runtime import metrics
from shared.runtime.closed_windows import Page
from shared.runtime.db import Database
from shared.runtime.errors import Retryable
from tests.integration.audit.conftest import as_superuser
from tests.support.databases import FreshDatabase

END = datetime(2026, 11, 26, 12, tzinfo=UTC)
KIND = "deed_without_entry"


class Held:
    """A side that holds ids, each stamped by its own clock."""

    def __init__(self) -> None:
        self.ids: dict[str, datetime] = {}
        self.away = False

    async def page(self, start: datetime, end: datetime, after: str) -> Page:
        if self.away:
            raise Retryable("away")
        found = [each for each, at in self.ids.items() if start <= at < end and each > after]
        return Page(ids=sorted(found), next=None)

    async def known(self, ids: list[str]) -> set[str]:
        return set(ids) & set(self.ids)


class Both:
    """What was done, and what the record says."""

    def __init__(self, db: Database, dsn: str) -> None:
        self.done, self.entered = Held(), Held()
        pair = Pair(self.done, self.entered, KIND, "entry_without_deed")
        self.reconciler = Reconciler(db, dsn, [pair])

    async def found(self, until: datetime) -> set[str]:
        return (await self.reconciler.once(until))[KIND]


@pytest.fixture
async def both(db: Database, database: FreshDatabase) -> Both:
    return Both(db, database.dsns["audit"].app)


@pytest.fixture(autouse=True)
def _clear() -> Iterator[None]:
    yield
    metrics.AUDIT_DISCREPANCIES.clear()


def gauge() -> float:
    return metrics.AUDIT_DISCREPANCIES.labels(KIND)._value.get()  # type: ignore[no-any-return]


@pytest.mark.parametrize("slow", [timedelta(minutes=6), timedelta(minutes=59)])
async def test_p2_what_a_slow_clock_puts_into_a_closed_window_is_found(
    slow: timedelta, both: Both
) -> None:
    await both.found(END)
    both.done.ids["late"] = END - slow
    found = [await both.found(END + timedelta(minutes=minute)) for minute in range(5, 70, 5)]
    assert [each for each in found if each] == [{"late"}]
    assert gauge() == 1
    both.entered.ids["late"] = END
    await both.found(END + 2 * LATER)
    assert gauge() == 0


async def test_what_both_have_late_is_no_discrepancy(both: Both) -> None:
    await both.found(END)
    both.done.ids["late"] = both.entered.ids["late"] = END - timedelta(minutes=30)
    for minute in range(5, 130, 5):
        assert await both.found(END + timedelta(minutes=minute)) == set()


async def test_what_a_window_lacks_is_noted_and_counted_once(both: Both, db: Database) -> None:
    both.done.ids["lost"] = END - timedelta(minutes=1)
    assert await both.found(END) == {"lost"}
    for minute in range(5, 130, 5):
        assert await both.found(END + timedelta(minutes=minute)) == set()
    async with db.transaction() as session:
        row = (
            await session.execute(
                text("SELECT sum(missing) AS m, sum(compared) AS c FROM audit.reconciliations")
            )
        ).one()
    assert (row.m, row.c, gauge()) == (1, 1, 1)


async def test_a_restart_shows_what_is_open_before_a_run_succeeds(both: Both) -> None:
    both.done.ids["lost"] = END - timedelta(minutes=1)
    await both.found(END)
    metrics.AUDIT_DISCREPANCIES.clear()
    both.done.away = True
    stop = asyncio.Event()
    role = asyncio.create_task(both.reconciler.run(stop))
    async with asyncio.timeout(10):
        while gauge() != 1:
            await asyncio.sleep(0.01)
    stop.set()
    await role


async def test_p9_a_log_that_was_never_compared_is_as_late_as_its_first_entry(
    database: FreshDatabase, both: Both
) -> None:
    """Not as this process: one that is restarted often would never be late."""
    await as_superuser(
        database,
        "INSERT INTO audit.entries (index, kind, event_id, position, leaf, leaf_hash, "
        "submitted_at, sequenced_at) VALUES (0, 'refused', 'evt_0', 0, '{}', sha256('{}'), "
        "now() - interval '3 hours', now() - interval '3 hours')",
    )
    assert 3 * 3600 <= await both.reconciler.age() < 3 * 3600 + 60
