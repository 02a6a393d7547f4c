"""A full queue of notifications stops the bus of its server, so how full it is can be seen."""

import asyncio
import subprocess
import sys

import asyncpg
from prometheus_client import REGISTRY
from sqlalchemy import text

from shared.contracts.base import Source
from shared.messaging.postgres.bus import PostgresBus
from shared.messaging.service import Emitting
from tests.integration.messaging.conftest import Service

_LARGE = text("SELECT pg_notify('told', repeat('x', 7000) || n) FROM generate_series(1, 200) AS n")


async def ratio(service: Service) -> float:
    bus = PostgresBus(service.dsn, "test")
    emitting = Emitting("svc", service.db, service.dsn, bus, service.outbox_tables, Source.INTAKE)
    async with service.db.transaction() as session:
        await emitting.ages(session)
    await bus.close()
    return REGISTRY.get_sample_value("hartline_database_notifications_ratio") or 0.0


def test_before_it_was_asked_nothing_is_said_of_it() -> None:
    code = "from shared.runtime.metrics import NOTIFICATIONS as n; print(n.collect())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "value=nan" in said.stdout


async def test_p9_a_listener_that_keeps_the_queue_from_emptying_is_seen(service: Service) -> None:
    listener = await asyncpg.connect(service.dsn)
    await listener.execute("LISTEN told")
    await listener.execute("BEGIN; SELECT pg_current_xact_id()")
    before = await ratio(service)
    async with service.db.transaction() as session:
        await session.execute(_LARGE)
    full = await ratio(service)
    assert full > before
    await listener.execute("ROLLBACK")
    await listener.close()
    async with asyncio.timeout(10):
        while await ratio(service) >= full:
            await asyncio.sleep(0.05)
