"""How soon an idle service says that a clock ran out: `python -m tests.load.bench_due`.

A process of its own with its roles sweep and relay over a durable PostgreSQL, the
others' watermarks answered by another server; clocks fall due a referral at a time. From due to
committed (the event is in the outbox) and to sent (the bus has it). Prints JSON.
"""

import argparse
import asyncio
import json
import random
import statistics
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from shared.contracts.codes import HtType
from shared.runtime import logging
from tests.support.databases import TestServer, test_server
from tests.support.deadlines import Service, opaque, received, service
from tests.support.deadlines_process import deadlines_process, neighbour_with_a_watermark

CLOCKS_PER_REFERRAL = 4
LENGTH = timedelta(hours=12)
GOAL_SECONDS = 1.0


async def measure(server: TestServer, referrals: int) -> dict[str, Any]:
    database = server.new_database()
    of = await service(database.open("deadlines"))
    with tempfile.TemporaryDirectory() as home:
        async with neighbour_with_a_watermark() as url:
            process = deadlines_process(database, Path(home), url)
            await process.start("sweep", "relay")
            try:
                last = await fill(of, referrals)
                rows = await _said(of, referrals * CLOCKS_PER_REFERRAL, last)
            finally:
                process.kill()
    await database.close()
    server.drop(database)
    return {
        "breaches": len(rows),
        "due_to_committed_ms": _summary([row.committed for row in rows]),
        "due_to_sent_ms": _summary([row.sent for row in rows]),
        "goal_p95_ms": GOAL_SECONDS * 1000,
    }


async def fill(of: Service, referrals: int) -> datetime:
    """Clocks that fall due in the next seconds, at any moment; when the last one does."""
    (row,) = await of.rows("SELECT clock_timestamp() AS now")
    due: datetime = row.now + timedelta(seconds=5)
    chance = random.Random(7)
    for number in range(1, referrals + 1):
        due += timedelta(seconds=chance.uniform(0.2, 0.8))
        children = {opaque("chd", number): HtType.SEX}
        await of.hear(received(opaque("ref", number), children, due - LENGTH))
    return due


async def _said(of: Service, breaches: int, last: datetime) -> list[Any]:
    query = (
        "SELECT extract(epoch FROM o.created_at - c.due_at) * 1000 AS committed, "
        "extract(epoch FROM o.sent_at - c.due_at) * 1000 AS sent FROM deadlines.outbox o "
        "JOIN deadlines.clocks c ON c.clock_id = "
        "convert_from(o.body, 'UTF8')::jsonb->'data'->>'clock_id' "
        "WHERE o.sent_at IS NOT NULL AND "
        "convert_from(o.body, 'UTF8')::jsonb->>'type' = 'hartline.deadline.breached.v1'"
    )
    (row,) = await of.rows("SELECT clock_timestamp() AS now")
    await asyncio.sleep((last - row.now).total_seconds())
    async with asyncio.timeout(60):
        while len(rows := await of.rows(query)) < breaches:
            await asyncio.sleep(0.5)
    return rows


def _summary(milliseconds: list[Any]) -> dict[str, float]:
    found = sorted(float(each) for each in milliseconds)
    return {
        "p50": round(statistics.median(found)),
        "p95": round(found[int(0.95 * (len(found) - 1))]),
        "most": round(found[-1]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--referrals", type=int, default=60)
    arguments = parser.parse_args()
    logging.configure("deadlines", "ERROR")
    with test_server() as server:
        print(json.dumps(asyncio.run(measure(server, arguments.referrals)), indent=2))


if __name__ == "__main__":
    main()
