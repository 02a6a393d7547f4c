"""What a scrape costs: `python -m tests.load.bench_metrics [--agencies 1000] [--each 100]`.

A machine with so many agencies, each with so many finished deliveries and one that waits, is
scraped once in 1.1 s, so that every scrape reads the ages anew; no service is nicer than another.
Prints milliseconds per service.
"""

import argparse
import asyncio
import json
import statistics
import time
from dataclasses import replace

import asyncpg
import httpx

from deploy.machine.machine import SERVICES, Machine
from deploy.machine.way import Way
from tests.support import machines

_GOAL_MS = 20.0
_SCRAPES = 20
_CLONES = (
    # An agency is one that was seeded, under another id; what it holds, one notice's.
    "CREATE TEMP TABLE clone AS SELECT 'agy_' || md5(i::text) AS agency_id, i "
    "FROM generate_series(1, $1 - (SELECT count(*) FROM notify.agencies)) AS i",
    "INSERT INTO notify.agencies SELECT (jsonb_populate_record(a, jsonb_build_object("
    "'agency_id', c.agency_id, 'code', c.agency_id))).* FROM clone c, "
    "notify.agencies AS a WHERE a.agency_id = (SELECT min(agency_id) FROM notify.agencies)",
    "CREATE TEMP TABLE made AS SELECT agency_id, n, 'ntc_' || md5(agency_id || n) AS notice_id, "
    "'ref_' || md5(agency_id || n) AS referral_id "
    "FROM notify.agencies, generate_series(0, $1) AS n",
    "INSERT INTO notify.notices SELECT (jsonb_populate_record(x, jsonb_build_object("
    "'notice_id', m.notice_id, 'referral_id', m.referral_id, 'agency_id', m.agency_id))).* "
    "FROM made m, notify.notices AS x "
    "WHERE x.notice_id = (SELECT min(notice_id) FROM notify.notices)",
    "INSERT INTO notify.deliveries SELECT (jsonb_populate_record(x, jsonb_build_object("
    "'notice_id', m.notice_id, 'referral_id', m.referral_id, 'agency_id', m.agency_id) || "
    "CASE WHEN n = 0 THEN jsonb_build_object('state', 'pending', 'delivered_at', NULL, "
    "'ended_at', NULL, 'next_attempt_at', now() + interval '1 hour') ELSE '{}' END)).* "
    "FROM made m, notify.deliveries AS x WHERE x.notice_id = "
    "(SELECT min(notice_id) FROM notify.deliveries WHERE delivered_at IS NOT NULL)",
)


async def measure(machine: Machine, agencies: int, each: int) -> dict[str, object]:
    programs = machine.supervisor.programs
    programs |= {name: replace(each, nice=0) for name, each in programs.items()}
    async with machines.running(machine):
        assert not (await Way(machine, patience=60.0).go()).problems
        await _grow(machine, agencies, each)
        async with httpx.AsyncClient(trust_env=False, timeout=30.0) as client:
            took = {name: await _scrapes(client, machine, name) for name in SERVICES}
    return {"agencies": agencies, "deliveries": agencies * (each + 1), "goal_ms": _GOAL_MS, **took}


async def _grow(machine: Machine, agencies: int, each: int) -> None:
    connection = await asyncpg.connect(machine.postgres.superuser_dsn("hartline"))
    try:
        await connection.execute("SET session_replication_role = replica")
        for statement in _CLONES:
            asked = {"clone": [agencies], "made": [each]}
            values = next((v for name, v in asked.items() if f"TABLE {name}" in statement), [])
            await connection.execute(statement, *values)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


async def _scrapes(client: httpx.AsyncClient, machine: Machine, name: str) -> dict[str, float]:
    url = f"{machines.url(machine, f'{name}_ops')}/metrics"
    took = []
    for _ in range(_SCRAPES):
        began = time.perf_counter()
        answer = (await client.get(url)).raise_for_status()
        took.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(1.1)
    return {
        "median_ms": round(statistics.median(took), 1),
        "p95_ms": round(sorted(took)[int(len(took) * 0.95)], 1),
        "kilobytes": round(len(answer.content) / 1000, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.load.bench_metrics")
    parser.add_argument("--agencies", type=int, default=1000)
    parser.add_argument("--each", type=int, default=100)
    given = parser.parse_args()
    with machines.prepared("postgresql", agencies=True) as machine:
        print(json.dumps(asyncio.run(measure(machine, given.agencies, given.each)), indent=1))


if __name__ == "__main__":
    main()
