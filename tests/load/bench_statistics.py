"""What statistics cost: `python -m tests.load.bench_statistics [--referrals 1000000]`.

On a PostgreSQL of its own, durable settings: made-up coded facts of that many referrals over ten
years (made by SQL, obviously synthetic: codes and random keys, no person behind them), then every
answer over HTTP as the exact role gets it, and the same with all of them in one year. Prints JSON:
milliseconds, and the plan of each counting query.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from services.intake.statistics import count_store
from shared.runtime import logging
from shared.runtime.db import Database
from shared.runtime.ids import new_event_id
from tests.support.databases import TestServer, test_server
from tests.support.intake import Keys, client_of
from tests.support.statistics import person, send, statistics_app, statistics_desk

FIRST_YEAR, YEARS = 2008, 10
_FILL = """
INSERT INTO intake.statistics_facts
SELECT decode(md5('child ' || n), 'hex'), decode(md5('referral ' || n * 9 / 10), 'hex'),
    decode(md5('person ' || n * 4 / 5), 'hex'),
    CAST(:first AS integer) + n % (12 * CAST(:years AS integer)),
    (ARRAY['hispanic','caucasian','african_american_black','multi_racial','unknown','asian',
        'other'])[1 + (random() * random() * 7)::int % 7],
    (ARRAY['15_to_16','13_to_14','17_to_18','unknown','11_to_12','10_and_under','over_18'])
        [1 + (random() * random() * 7)::int % 7],
    (ARRAY['parent_guardian_home','awol_runaway','foster_home','congregate_care',
        'relative_other_home','detention','shelter','missing_unknown'])
        [1 + (random() * random() * 8)::int % 8],
    CASE WHEN random() < 0.92 THEN 'female' ELSE 'male' END,
    (ARRAY['sex','labor','sex_and_labor','other'])[1 + (random() * random() * 4)::int % 4],
    CASE WHEN n % 3 = 0 THEN ARRAY['hotel_motel_based','internet_based']
        ELSE ARRAY['internet_based'] END,
    ARRAY[towns.names[1 + (random() * random() * 169)::int % 169]],
    CASE WHEN n % 5 = 0 THEN decode(md5('facility ' || n % 400), 'hex') END, n % 4 = 0
FROM generate_series(1, :referrals) AS n,
    (SELECT array_agg('Example Town ' || t) AS names FROM generate_series(1, 169) AS t) AS towns
"""
_REFERRALS = """
INSERT INTO intake.referrals (referral_id, number, owner, version, synthetic, tallied)
SELECT 'ref_' || md5('referral ' || n), 'BENCH-' || n, 'bench', 1, true, 1
FROM generate_series(1, :referrals) AS n
"""

_PIECE = "generate_series(CAST(:start AS integer), CAST(:stop AS integer))"


async def fill(database: Any, referrals: int, years: int) -> None:
    owner = database.open("intake", owner=True, pool_size=1)
    for statement, values in (
        (_FILL, {"first": FIRST_YEAR * 12, "years": years, "referrals": referrals}),
        (_REFERRALS, {"referrals": referrals}),
    ):
        await _in_pieces(owner, statement, values)
    async with owner.transaction() as session:
        await session.execute(text("SET LOCAL work_mem = '256MB'"))
        await session.execute(text("SET LOCAL statement_timeout = 0"))
        await count_store.rebuild(session)
    await owner.execute(text("VACUUM ANALYZE intake.statistics_facts, intake.referrals"))


async def _in_pieces(db: Database, statement: str, values: dict[str, int]) -> None:
    """A statement may run for 30 s, so the rows are made 100,000 at a time."""
    piece = statement.replace("generate_series(1, :referrals)", _PIECE)
    left = {name: value for name, value in values.items() if name != "referrals"}
    for start in range(1, values["referrals"] + 1, 100_000):
        stop = min(start + 99_999, values["referrals"])
        async with db.transaction() as session:
            await session.execute(text(piece), left | {"start": start, "stop": stop})


async def timed(ask: Callable[[], Awaitable[httpx.Response]], rounds: int) -> dict[str, Any]:
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        answer = await ask()
        taken.append((time.perf_counter() - began) * 1000)
        assert answer.status_code in (200, 201), answer.text
    return {"median_ms": round(statistics.median(taken)), "worst_ms": round(max(taken))}


async def plans(db: Database, year: int) -> dict[str, list[str]]:
    found = {}
    for name in ("COUNT", "COUNT_YEARS", "COUNT_VICTIMS"):
        statement = getattr(count_store, name)
        values = {"first": year * 12, "end": year * 12 + 12, "span": "year", "period": year}
        values = {} if name == "COUNT_YEARS" else values
        explained = text(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {statement.text}")
        async with db.transaction() as session:
            found[name.lower()] = [row[0] for row in await session.execute(explained, values)]
    return found


async def answers(
    server: TestServer, made: Keys, referrals: int, years: int, rounds: int
) -> dict[str, Any]:
    database = server.new_database()
    await fill(database, referrals, years)
    db = database.open("intake")
    app = statistics_app(db, made)
    here, year = "/v1/statistics", FIRST_YEAR + years - 1

    async with person(app, made, "bench-officer") as officer, client_of(app, made) as phone:

        async def release() -> httpx.Response:
            body = {"year": year, "reason": "yearly"}
            headers = {"Idempotency-Key": new_event_id()}
            return await officer.post(f"{here}/releases", json=body, headers=headers)

        async def exact_after_a_new_referral() -> httpx.Response:
            await send(phone, new_event_id())
            return await officer.get(f"{here}/{year}/exact")

        async def export() -> httpx.Response:
            body = {"kind": "ncands_yearly", "year": year}
            headers = {"Idempotency-Key": new_event_id()}
            asked = await officer.post(f"{here}/exports", json=body, headers=headers)
            at = f"{here}/exports/{asked.json()['export_id']}"
            async with person(app, made, "bench-director") as director:
                await director.post(f"{at}/approval")
            return await officer.post(f"{at}/content")

        report = {
            "referrals": referrals,
            "in_the_year_asked": referrals // years,
            "referrals_by_year": await timed(lambda: officer.get(f"{here}/exact"), rounds),
            "tables_of_a_year": await timed(lambda: officer.get(f"{here}/{year}/exact"), rounds),
            "the_same_after_a_new_referral": await timed(exact_after_a_new_referral, rounds),
            "a_release": await timed(release, rounds),
            "a_released_year": await timed(lambda: officer.get(f"{here}/{year}"), rounds),
            "yearly_export": await timed(export, rounds),
            "plans": await plans(db, year),
        }
    await database.close()
    server.drop(database)
    return report


async def tallying(server: TestServer, made: Keys, referrals: int) -> dict[str, Any]:
    """What coding a backlog costs: real sealed documents, opened."""
    database = server.new_database()
    db = database.open("intake")
    async with client_of(statistics_app(db, made), made) as phone:
        for _ in range(referrals):
            await send(phone, new_event_id())
    began, cpu = time.perf_counter(), time.process_time()
    done = await statistics_desk(db, made).tallying.catch_up(datetime.now(UTC))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    await database.close()
    server.drop(database)
    return {
        "backlog": done,
        "referrals_per_second": round(done / seconds),
        "python_cpu_us_per_referral": round(cpu / done * 1e6),
    }


async def measure(server: TestServer, arguments: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as home:
        made = Keys.make(Path(home))
        return {
            "over_ten_years": await answers(
                server, made, arguments.referrals, YEARS, arguments.rounds
            ),
            "all_in_one_year": await answers(
                server, made, arguments.referrals, 1, arguments.rounds
            ),
            "tallying": await tallying(server, made, arguments.backlog),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--referrals", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--backlog", type=int, default=1_000)
    arguments = parser.parse_args()
    logging.configure("intake", "ERROR")
    with test_server() as server:
        print(json.dumps(asyncio.run(measure(server, arguments)), indent=2))


if __name__ == "__main__":
    main()
