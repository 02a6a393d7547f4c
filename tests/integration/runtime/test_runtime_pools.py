"""How full a pool is, against the pools themselves: what is read of their insides is theirs to
change."""

import asyncio

from prometheus_client import REGISTRY
from sqlalchemy import text

from shared.runtime.db import Database
from shared.runtime.internal_http import InternalClient
from tests.support.databases import FreshDatabase
from tests.support.sleeper import sleeping

PLACES = 4
"""Of an internal client."""


def pool(name: str) -> dict[str, float | None]:
    asked = {
        state: REGISTRY.get_sample_value(
            "hartline_pool_connections", {"pool": name, "state": state}
        )
        for state in ("open", "in_use", "most")
    }
    return asked | {"waiting": REGISTRY.get_sample_value("hartline_pool_waiting", {"pool": name})}


async def hold(db: Database, until: asyncio.Event) -> None:
    async with db.transaction() as session:
        await session.execute(text("SELECT 1"))
        await until.wait()


async def until(name: str, **wanted: float) -> None:
    async with asyncio.timeout(10):
        while pool(name) != wanted:
            await asyncio.sleep(0.01)


async def test_who_waits_for_a_connection_of_the_database_is_counted(
    database: FreshDatabase,
) -> None:
    db, done = database.open("bus", pool_size=2), asyncio.Event()
    tasks = [asyncio.create_task(hold(db, done)) for _ in range(5)]
    await until("database", open=2, in_use=2, most=2, waiting=3)
    done.set()
    await asyncio.gather(*tasks)
    assert pool("database") == {"open": 2, "in_use": 0, "most": 2, "waiting": 0}


async def test_who_waits_for_a_connection_to_another_service_is_counted() -> None:
    awake = asyncio.Event()
    async with sleeping(awake) as port:
        client = InternalClient("pools-test", f"http://127.0.0.1:{port}", lambda: "x")
        calls = [asyncio.create_task(client.get("/x")) for _ in range(PLACES + 3)]
        await until("pools-test", open=PLACES, in_use=PLACES, most=PLACES, waiting=3)
        awake.set()
        await asyncio.gather(*calls)
        assert pool("pools-test") == {"open": PLACES, "in_use": 0, "most": PLACES, "waiting": 0}
        await client.close()
