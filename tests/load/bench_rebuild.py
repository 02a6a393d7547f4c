"""What folding everything again costs: `python -m tests.load.bench_rebuild [--referrals 100000]`.

A report, a plan and a delivery for each referral, handled as the worker does; every tenth is old,
and its clocks have run out. Then all clocks are compared with their stored facts, removed and
made again, with progress; what was announced stays. Prints JSON. Exit code 1: they differ.
"""

import argparse
import asyncio
import contextlib
import io
import json
import sys
import time
from datetime import timedelta
from typing import Any

import asyncpg

from services.deadlines.commands import rebuild
from services.deadlines.reading import FactBearing
from shared.contracts.codes import HtType
from shared.runtime import logging
from shared.runtime.db import plain_dsn
from tests.support.databases import FreshDatabase, TestServer, test_server
from tests.support.deadlines import (
    DUE,
    HOUR,
    RECEIVED,
    Service,
    delivered,
    opaque,
    planned,
    received,
    service,
)

BATCH = 64
OLD = 10
LATER = RECEIVED + timedelta(days=9)
WHAT = (
    "referral_id, child_id, duty, matter, policy, policy_version, basis_at, due_at, satisfied_at, "
    "lacking, state, released"
)
"""What a clock is, beside its id and when to look at it."""


def events(number: int) -> list[FactBearing]:
    referral, child = opaque("ref", number), opaque("chd", number)
    at = RECEIVED if number % OLD == 0 else LATER
    told = at + (number % 14 + 1) * HOUR
    return [
        received(referral, {child: HtType.SEX}, at),
        planned("A", at, child=child, referral=referral),
        delivered("A", told, child=child, referral=referral),
    ]


async def live(of: Service, owner: asyncpg.Connection, referrals: int) -> None:
    """Everything is heard, and what has run out by then is breached. The tables are analyzed
    meanwhile, as autovacuum does within a minute: this fills them faster than that."""
    waiting: list[FactBearing] = []
    for number in range(1, referrals + 1):
        waiting += events(number)
        if len(waiting) >= BATCH * 3 or number == referrals:
            for stage in range(3):
                await of.hear_together(waiting[stage::3])
            waiting = []
        if number % 5000 == 1000:
            await owner.execute("ANALYZE")
            sys.stderr.write(f"\rheard {number}")
    of.clock.now = DUE + HOUR
    while (await of.sweeper.sweep_once()).taken:
        pass
    sys.stderr.write("\n")


async def again(of: Service, *flags: str) -> tuple[int, float]:
    """The exit code of the command and its seconds; its progress goes to stderr."""
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        code = await rebuild(of.db, of.keep._keeper, list(flags))
    return code, round(time.perf_counter() - began, 1)


async def measure(server: TestServer, referrals: int) -> dict[str, Any]:
    database = server.new_database()
    of = await service(database.open("deadlines"))
    owner = await asyncpg.connect(plain_dsn(database.dsns["deadlines"].owner))
    began = time.perf_counter()
    await live(of, owner, referrals)
    heard = round(time.perf_counter() - began, 1)
    await owner.execute("VACUUM ANALYZE")
    checked, check_seconds = await again(of, "--check")
    differing, rebuild_seconds = await _from_nothing(of, owner)
    clocks = await owner.fetchval("SELECT count(*) FROM deadlines.clocks")
    breaches = await owner.fetchval("SELECT count(*) FROM deadlines.announcements")
    await owner.close()
    await _close(server, database)
    return {
        "referrals": referrals,
        "clocks": clocks,
        "announced": breaches,
        "seconds_to_hear": heard,
        "seconds_to_check": check_seconds,
        "seconds_to_rebuild_from_nothing": rebuild_seconds,
        "equal_to_live": checked == 0 and differing == 0,
    }


async def _from_nothing(of: Service, owner: asyncpg.Connection) -> tuple[int, float]:
    """Every clock without an announcement is removed and made again; how many then differ."""
    await owner.execute(f"CREATE TABLE deadlines.kept AS SELECT {WHAT} FROM deadlines.clocks")
    await owner.execute(
        "DELETE FROM deadlines.clocks c WHERE NOT EXISTS "
        "(SELECT 1 FROM deadlines.announcements a WHERE a.clock_id = c.clock_id)"
    )
    await owner.execute("VACUUM ANALYZE deadlines.clocks")
    _, seconds = await again(of)
    one, other = f"SELECT {WHAT} FROM deadlines.kept", f"SELECT {WHAT} FROM deadlines.clocks"
    differing = await owner.fetchval(
        f"SELECT count(*) FROM (({one} EXCEPT {other}) UNION ALL ({other} EXCEPT {one})) d"
    )
    return int(differing), seconds


async def _close(server: TestServer, database: FreshDatabase) -> None:
    await database.close()
    server.drop(database)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--referrals", type=int, default=100_000)
    arguments = parser.parse_args()
    logging.configure("deadlines", "ERROR")
    with test_server() as server:
        report = asyncio.run(measure(server, arguments.referrals))
    print(json.dumps(report, indent=2))
    sys.exit(0 if report["equal_to_live"] else 1)


if __name__ == "__main__":
    main()
