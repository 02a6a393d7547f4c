"""Replaying referrals out of the database: `python -m tests.load.bench_replay [--referrals 10000]`.

Plans that many synthetic referrals through the real handler, then opens their sealed facts and
routes them again through every stage under changed rules, as a proposal of rules
does. Prints JSON, and its progress.
"""

import argparse
import asyncio
import json
import logging
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog

from services.notify.routing.rulebook import load_rulebook
from services.notify.rulemaking.replaying import Asked, replay_last
from shared.contracts.codes import HtType
from tests.support import databases, planning
from tests.support.databases import FreshDatabase
from tests.support.planning import CLERK, Planning, envelope

BATCH = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--referrals", type=int, default=10_000)
    count = parser.parse_args().referrals
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with databases.test_server() as server:
        found = asyncio.run(_measure(server.new_database(), count))
    sys.stdout.write(f"{json.dumps(found, indent=2)}\n")


async def _measure(fresh: FreshDatabase, count: int) -> dict[str, Any]:
    db = fresh.open("notify")
    with tempfile.TemporaryDirectory() as folder:
        await planning.seed(db, planning.agencies(), Path(folder))
    planner = Planning(db)
    for done in range(0, count, BATCH):
        await _plan(planner, min(BATCH, count - done))
        _progress("planned", done + BATCH, count)
    old = load_rulebook()
    some = frozenset(HtType) - {HtType.SEX}
    rules = (replace(r, ht_types=some) if r.id == "careline.fbi" else r for r in old.rules)
    new = replace(old, rules=tuple(rules))
    began, worked = time.perf_counter(), time.process_time()
    found = await replay_last(
        db,
        planner.directories,
        CLERK,
        Asked(old, new, count),
        lambda done, of: _progress("replayed", done, of),
    )
    seconds, cpu = time.perf_counter() - began, time.process_time() - worked
    await fresh.close()
    return {
        "referrals": found.replayed,
        "differ": found.changed,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
    }


async def _plan(planner: Planning, count: int) -> None:
    batch = []
    for _ in range(count):
        data = planner.announce()
        event = envelope(data)
        batch.append((event, data, await planner.handler.prepare(event, data)))
    async with planner.db.transaction() as session:
        await planner.handler.apply_all(session, batch)


def _progress(what: str, done: int, count: int) -> None:
    sys.stderr.write(f"\r{what} {done} of {count} " + ("\n" if done >= count else ""))
    sys.stderr.flush()


if __name__ == "__main__":
    main()
