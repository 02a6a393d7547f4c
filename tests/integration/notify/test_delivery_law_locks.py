"""P3: whatever of an agency changed while the claim waited binds it, in every column."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from services.notify.delivery import due_store, read_store
from services.notify.delivery.lanes import Slots
from shared.runtime.ids import utc_now
from tests.support.deliveries import World


@pytest.mark.parametrize("planner", ["on", "off"])
@pytest.mark.parametrize("probe", [False, True])
async def test_every_column_of_a_change_under_way_binds_the_claim(
    world: World, probe: bool, planner: str
) -> None:
    agency, other = (
        await world.agency("https://old.example"),
        await world.agency("https://other.example"),
    )
    ids = [*await world.notices(agency, 3), *await world.notices(other, 2)]

    async def read() -> dict[str, Any]:
        async with world.db.transaction() as session:
            await session.execute(text(f"SET LOCAL enable_nestloop = {planner}"))
            if probe:
                rows = await read_store.read_alone(session, ids)
            else:
                rows = await due_store.lock_due(session, Slots(8, 8), {}, 16, utc_now())
            return {row.notice_id: row for row in rows}

    async with world.db.transaction() as session:
        await session.execute(
            text(
                "UPDATE notify.agencies SET authority = NULL, authority_from = '2001-01-01', "
                "authority_to = '2002-01-01', endpoint = 'https://new.example', "
                "encryption_key = '{\"kid\": \"new\"}', allowed_networks = '{10.0.0.0/8}', "
                "hold_until = '2040-01-01', consecutive_failures = 9 WHERE agency_id = :a"
            ),
            {"a": agency},
        )
        reading = asyncio.create_task(read())
        await asyncio.sleep(0.2)
        assert not reading.done()
    found = await reading
    assert set(found) == set(ids)
    for each in ids[:3]:
        row = found[each]
        assert row.on_file is None
        assert row.endpoint == "https://new.example"
        assert str(row.authority_from) == "2001-01-01"
        assert str(row.authority_to) == "2002-01-01"
        assert row.encryption_key == {"kid": "new"}
        assert row.allowed_networks == ["10.0.0.0/8"]
        assert row.hold_until.year == 2040
        assert row.consecutive_failures == 9
        assert row.sealed is not None
        assert row.wrapped is not None
        assert row.authority
    assert found[ids[3]].endpoint == "https://other.example"
