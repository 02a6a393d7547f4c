"""What claiming and recording ask for is planned while the tables are small, and kept."""

from collections import Counter
from datetime import timedelta

import asyncpg
from sqlalchemy import text

from services.notify.delivery.attempts import Ended
from services.notify.delivery.claim_store import claim
from services.notify.delivery.lanes import Slots
from services.notify.delivery.outcome_store import record
from services.notify.delivery.outcomes import Answered
from services.notify.models import OUTBOX
from shared.contracts.base import Source
from shared.messaging.outbox import Outbox
from shared.runtime.db import Database
from shared.runtime.ids import utc_now
from tests.support.deliveries import World

_UNTIL_A_PLAN_IS_KEPT = 7
_FLUSH = text("SELECT pg_stat_force_next_flush()")
_READ = (
    "SELECT relname, seq_tup_read + coalesce(idx_tup_fetch, 0) AS read "
    "FROM pg_stat_user_tables WHERE schemaname = 'notify'"
)


async def test_what_is_claimed_and_recorded_costs_the_same_however_much_there_is(
    world: World,
) -> None:
    """P1: also where autovacuum came by while there was next to nothing. It cost 400 times as much
    with a thousand rows, until autovacuum came again, and everybody waited for it."""
    db = world.database.open("notify", pool_size=1)
    agencies = [await world.agency("https://127.0.0.1:9") for _ in range(5)]
    await deliver(world, db, agencies, 1)
    await analyse(world)
    for _ in range(_UNTIL_A_PLAN_IS_KEPT):
        await deliver(world, db, agencies, 1)
    costs = [await deliver(world, db, agencies, 20) for _ in range(5)]
    assert costs[-1] == costs[1]


async def deliver(world: World, db: Database, agencies: list[str], each: int) -> Counter[str]:
    """So many to each. Returns how many rows were read for it, by table."""
    for agency in agencies:
        await world.notices(agency, each)
    before = await read(world, db)
    now, outbox = utc_now(), Outbox(OUTBOX, Source.NOTIFY)
    async with db.transaction(planned_once=True) as session:
        found = await claim(
            session,
            outbox,
            owner=1,
            slots=Slots(64, 64),
            busy={},
            batch=128,
            now=now,
            deadline=now + timedelta(seconds=10),
        )
    assert len(found.attempts) == each * len(agencies)
    ended = [
        Ended(a.disclosure_id, a.notice_id, a.agency_id, Answered(200), utc_now())
        for a in found.attempts
    ]
    async with db.transaction() as session:
        await record(session, outbox, ended, utc_now(), lambda: 0.5)
    return await read(world, db) - before


async def analyse(world: World) -> None:
    connection = await asyncpg.connect(world.database.superuser_dsn)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


async def read(world: World, db: Database) -> Counter[str]:
    """By those who have said by now what they read; each says so when it is next idle."""
    for each in (world.db, db):
        async with each.transaction() as session:
            await session.execute(_FLUSH)
        async with each.transaction():
            pass
    return Counter({row.relname: row.read for row in await world.rows(_READ)})
