"""What sweeping costs: `python -m tests.load.bench_sweep [--open 1000 100000]`.

On a PostgreSQL of its own, durable settings: one sweep of 100 due clocks beside few and many open
ones, interleaved; a storm of clocks due at once under two sweepers; a fact's own cost. Prints JSON
with the plan of the query that takes what is due.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Sequence
from typing import Any

import asyncpg
from sqlalchemy import text

from services.deadlines.reading import FactBearing
from shared.contracts.codes import HtType
from shared.runtime import logging
from shared.runtime.db import Database, plain_dsn
from shared.runtime.ids import new_id
from tests.support.databases import FreshDatabase, TestServer, test_server
from tests.support.deadlines import (
    DUE,
    HOUR,
    RECEIVED,
    Service,
    delivered,
    planned,
    received,
    second_sweeper,
    service,
)

CLOCKS_PER_REFERRAL = 4
DUE_CLOCKS = 100
LATER = DUE + HOUR


async def fill(db: Database, clocks: int) -> None:
    """Clocks that are open and due long after the measurement, with their facts."""
    referrals = clocks // CLOCKS_PER_REFERRAL
    for statement in (
        "INSERT INTO deadlines.facts (event_id, place, kind, referral_id, occurred_at, version, "
        "child_id, statement) SELECT 'filler-' || n, 0, 'referral.stated', 'ref_' || n, :at, 1, "
        "'chd_' || n, '{}' FROM generate_series(1, :n) n",
        "INSERT INTO deadlines.clocks (clock_id, referral_id, child_id, duty, role, policy, "
        "policy_version, synthetic, basis_at, due_at, lacking, state, look_at) "
        "SELECT 'clk_' || n || '_' || d, 'ref_' || n, 'chd_' || n, 'duty_' || d, 'fbi', 'fbi12', "
        "'2026-1', false, :at, CAST(:due AS timestamptz) + n * interval '1 ms', 'plan', 'open', "
        "CAST(:due AS timestamptz) + n * interval '1 ms' "
        f"FROM generate_series(1, :n) n, generate_series(1, {CLOCKS_PER_REFERRAL}) d",
    ):
        async with db.transaction() as session:
            values = {"at": RECEIVED, "due": LATER + 24 * HOUR, "n": referrals}
            await session.execute(text(statement), values)


async def receive(of: Service, clocks: int) -> None:
    for _ in range(clocks // CLOCKS_PER_REFERRAL):
        await of.hear(received(new_id("ref"), {new_id("chd"): HtType.SEX}))


async def one_sweep(of: Service) -> float:
    """Milliseconds to breach DUE_CLOCKS clocks."""
    of.clock.now = RECEIVED
    await receive(of, DUE_CLOCKS)
    of.clock.now = LATER
    began = time.perf_counter()
    swept = await of.sweeper.sweep_once()
    milliseconds = (time.perf_counter() - began) * 1000
    assert swept.breached == DUE_CLOCKS, swept
    return milliseconds


async def compare(server: TestServer, sizes: Sequence[int], rounds: int) -> dict[str, Any]:
    """The same sweep beside each number of open clocks, taking turns."""
    databases = [server.new_database() for _ in sizes]
    services = [await service(database.open("deadlines")) for database in databases]
    for size, of, database in zip(sizes, services, databases, strict=True):
        await fill(of.db, size)
        owner = await asyncpg.connect(plain_dsn(database.dsns["deadlines"].owner))
        await owner.execute("VACUUM ANALYZE deadlines.clocks, deadlines.facts")
        await owner.close()
    times: list[list[float]] = [[] for _ in sizes]
    for number in range(rounds + 2):
        for place, of in enumerate(services):
            taken = await one_sweep(of)
            if number >= 2:
                times[place].append(taken)
    report = {
        str(size): {
            "open_clocks": size,
            "sweep_of_100_ms_median": round(statistics.median(each), 1),
            "plan": await _plan(of.db),
        }
        for size, of, each in zip(sizes, services, times, strict=True)
    }
    await _close(server, databases)
    medians = [statistics.median(each) for each in times]
    return {"sizes": report, "ratio_of_most_to_fewest": round(medians[-1] / medians[0], 3)}


async def _plan(db: Database) -> list[str]:
    async with db.transaction() as session:
        rows = await session.execute(
            text(
                "EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) SELECT clock_id "
                "FROM deadlines.clocks WHERE look_at <= :now ORDER BY look_at LIMIT 128 "
                "FOR UPDATE SKIP LOCKED"
            ),
            {"now": LATER},
        )
        return [row[0] for row in rows]


async def storm(server: TestServer, clocks: int) -> dict[str, Any]:
    """Clocks due in the same second, under two sweepers: all breached, each once."""
    database = server.new_database()
    of = await service(database.open("deadlines"))
    other = second_sweeper(of, database.open("deadlines"))
    await receive(of, clocks)
    of.clock.now = LATER
    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(_sweep_all(of.sweeper), _sweep_all(other))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    events = await of.emitted(role=None)
    await _close(server, [database])
    return {
        "due_at_once": clocks,
        "breaches_emitted": len(events),
        "clocks_breached": len({event["clock_id"] for event in events}),
        "seconds": round(seconds, 2),
        "python_cpu_us_per_breach": round(cpu / clocks * 1e6),
    }


async def _sweep_all(sweeper: Any) -> None:
    while (await sweeper.sweep_once()).taken:
        pass


async def folding(server: TestServer, group: int) -> dict[str, Any]:
    """Events handled `group` at a time, as the worker does with what is ready: a report, a plan
    and deliveries for each of 192 referrals."""
    database = server.new_database()
    of = await service(database.open("deadlines"))
    stages = _events(192)
    began, cpu = time.perf_counter(), time.process_time()
    for stage in stages:
        for start in range(0, len(stage), group):
            await of.hear_together(stage[start : start + group])
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    await _close(server, [database])
    events = sum(map(len, stages))
    return {
        "at_a_time": group,
        "events_per_second": round(events / seconds),
        "python_cpu_us_per_event": round(cpu / events * 1e6),
    }


def _events(referrals: int) -> list[list[FactBearing]]:
    stages: list[list[FactBearing]] = [[], [], []]
    for _ in range(referrals):
        ref, child = new_id("ref"), new_id("chd")
        stages[0].append(received(ref, {child: HtType.SEX}))
        stages[1].append(planned("A", child=child, referral=ref))
        stages[2].append(delivered("A", RECEIVED + HOUR, child=child, referral=ref))
    return stages


async def _close(server: TestServer, databases: Sequence[FreshDatabase]) -> None:
    for database in databases:
        await database.close()
        server.drop(database)


async def measure(server: TestServer, arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "sweep": await compare(server, arguments.open, arguments.rounds),
        "storm": await storm(server, arguments.storm),
        "folding": [await folding(server, group) for group in (1, 32)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--open", type=int, nargs="+", default=[1_000, 100_000])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--storm", type=int, default=10_000)
    arguments = parser.parse_args()
    logging.configure("deadlines", "ERROR")
    with test_server() as server:
        print(json.dumps(asyncio.run(measure(server, arguments)), indent=2))


if __name__ == "__main__":
    main()
