"""What handling costs in statements: as many for a batch as for one event, and none too many."""

import asyncio

import pytest

from services.deadlines import store
from shared.contracts.codes import HtType
from tests.support.databases import FreshDatabase
from tests.support.deadlines import (
    HOUR,
    RECEIVED,
    REFERRAL,
    delivered,
    opaque,
    planned,
    received,
    service,
)
from tests.support.statements import recorded


@pytest.mark.parametrize("size", [1, 32])
async def test_a_batch_takes_as_many_statements_as_one_event(
    database: FreshDatabase, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """Hold and keep, read the clocks, read the facts, write: four, whatever the batch."""
    of = await service(database.open("deadlines"))
    numbers = [(opaque("ref", n), opaque("chd", n)) for n in range(1, size + 1)]
    stages = (
        [received(ref, {child: HtType.SEX}) for ref, child in numbers],
        [planned("A", child=child, referral=ref) for ref, child in numbers],
        [delivered("A", RECEIVED + HOUR, child=child, referral=ref) for ref, child in numbers],
    )
    for batch in stages:
        statements = recorded(monkeypatch)
        await of.hear_together(batch)
        monkeypatch.undo()
        assert len(statements) == 4, "\n".join(statements)


async def test_an_event_heard_twice_writes_nothing(
    database: FreshDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = await service(database.open("deadlines"))
    await of.hear(received(), event_id="the-same")
    statements = recorded(monkeypatch)
    await of.hear(received(), event_id="the-same")
    assert len(statements) == 3, "\n".join(statements)


async def test_a_referral_is_held_also_where_there_is_no_fact_to_keep(
    database: FreshDatabase,
) -> None:
    first, second = database.open("deadlines"), database.open("deadlines")
    async with first.transaction() as session:
        await store.hold_and_add(session, [REFERRAL], [])
        async with second.transaction() as other:
            assert await store.try_hold_referrals(other, [REFERRAL]) == []
    async with second.transaction() as other:
        async with asyncio.timeout(5):
            assert await store.try_hold_referrals(other, [REFERRAL]) == [REFERRAL]
