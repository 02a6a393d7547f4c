"""How fast the audit log is: `python -m tests.load.bench_audit [--entries N]`.

On a PostgreSQL of its own, durable settings: entries sequenced per second, the time from a
submission's commit to a signed checkpoint while 64 callers submit, proofs, and the verifier.
Prints JSON.
"""

import argparse
import asyncio
import json
import secrets
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from sqlalchemy import text

from services.audit import reading, store, tlog
from services.audit.appending import Appending
from services.audit.evidence import examine
from services.audit.export import export
from services.audit.leaf import Kind, Submission
from services.audit.sealer import Sealer, Sealing
from services.audit.traces import Facet, trace
from shared.runtime.db import Database
from shared.runtime.ids import new_event_id, new_id
from tests.support.audit import ORIGIN, signer
from tests.support.databases import FreshDatabase, test_server

LEAF_BYTES = 500
CALLERS = 64
LIVE_SECONDS = 10.0


def submission() -> Submission:
    leaf = secrets.token_hex(LEAF_BYTES // 2).encode()
    return Submission(new_event_id(), 0, Kind.ATTEMPTED, new_id("dsc"), leaf, traces())


def traces() -> tuple[int, ...]:
    """As of an attempt: a child and a referral of its own, an agency, an authority."""
    return tuple(
        trace(facet, value)
        for facet, value in (
            (Facet.SUBJECT, new_id("chd")),
            (Facet.SUBJECT, new_id("ref")),
            (Facet.AGENCY, f"agency-{secrets.randbelow(200)}"),
            (Facet.AUTHORITY, f"authority-{secrets.randbelow(10)}"),
        )
    )


async def submit(db: Database, count: int) -> None:
    async with db.transaction() as session:
        await store.submit(session, [submission() for _ in range(count)])


async def sequencing(db: Database, sealer: Sealer, entries: int) -> dict[str, Any]:
    """A backlog, moved into the tree and signed."""
    for _ in range(0, entries, 2000):
        await submit(db, 2000)
    began, cpu = time.perf_counter(), time.process_time()
    await sealer.drain()
    seconds = time.perf_counter() - began
    return {
        "entries": entries,
        "entries_per_second": round(entries / seconds),
        "python_cpu_us_per_entry": round((time.process_time() - cpu) / entries * 1e6, 1),
    }


async def live(db: Database, sealer: Sealer) -> dict[str, Any]:
    """64 callers, each submitting five leaves a time, one after the other; the role seals."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    sealing = asyncio.create_task(sealer.run(stop))
    until = loop.time() + LIVE_SECONDS
    took: list[float] = []

    async def caller() -> None:
        while loop.time() < until:
            began = time.perf_counter()
            await submit(db, 5)
            took.append(time.perf_counter() - began)

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    await asyncio.sleep(2)
    stop.set()
    await sealing
    return {
        "submitted_per_second": round(5 * len(took) / LIVE_SECONDS),
        "submit_p95_ms": round(percentile(took, 0.95) * 1000, 1),
        "submitted_to_signed_seconds": await lags(db),
    }


async def appending(db: Database, sealer: Sealer) -> dict[str, Any]:
    """64 callers, each appending one leaf after the other and waiting until it is an entry and
    durable; the role seals meanwhile. From the attempt to a signed checkpoint, too."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    sealing = asyncio.create_task(sealer.run(stop))
    log, took = Appending(db), list[float]()
    until = loop.time() + LIVE_SECONDS

    async def caller() -> None:
        while loop.time() < until:
            made = submission()
            began = time.perf_counter()
            await log.append(made)
            took.append(time.perf_counter() - began)

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    await asyncio.sleep(2)
    stop.set()
    await sealing
    return {
        "callers": CALLERS,
        "entries_per_second": round(len(took) / LIVE_SECONDS),
        "p50_ms": round(percentile(took, 0.5) * 1000, 1),
        "p95_ms": round(percentile(took, 0.95) * 1000, 1),
        "appended_to_signed_seconds": await lags(db),
    }


async def lags(db: Database) -> dict[str, float]:
    """From a leaf's arrival to the first checkpoint over it, of the last seconds' entries."""
    async with db.transaction() as session:
        rows = await session.execute(
            text(
                "SELECT percentile_cont(ARRAY[0.5, 0.95, 1]) WITHIN GROUP (ORDER BY "
                "extract(epoch FROM c.signed_at - e.submitted_at)) FROM audit.entries e "
                "CROSS JOIN LATERAL (SELECT signed_at FROM audit.checkpoints "
                "WHERE size > e.index ORDER BY id LIMIT 1) c WHERE e.index % 50 = 0 "
                "AND e.submitted_at > now() - interval '13 seconds'"
            )
        )
        p50, p95, worst = rows.one()[0]
    return {"p50": round(p50, 3), "p95": round(p95, 3), "max": round(worst, 3)}


async def proofs(db: Database) -> dict[str, Any]:
    async with db.transaction() as session:
        size = (await store.lock_head(session)).size

    async def inclusion() -> None:
        async with db.transaction() as session:
            await reading.proof(session, secrets.randbelow(size))

    async def consistency() -> None:
        spans = tlog.consistency_spans(1 + secrets.randbelow(size), size)
        async with db.transaction() as session:
            nodes = await store.hashes_of(session, tlog.nodes_of(spans))
        tlog.hash_spans(spans, nodes)

    return {
        "tree_size": size,
        "inclusion_p95_ms": round(await p95(inclusion) * 1000, 1),
        "consistency_p95_ms": round(await p95(consistency) * 1000, 1),
    }


async def p95(once: Callable[[], Awaitable[None]]) -> float:
    took = []
    for _ in range(300):
        began = time.perf_counter()
        await once()
        took.append(time.perf_counter() - began)
    return percentile(took, 0.95)


async def verifier(db: Database) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "export"
        began = time.perf_counter()
        checkpoint = await export(db, folder, [signer(1).public])
        exported = time.perf_counter()
        report = examine(folder)
        verified = time.perf_counter()
    assert not report.sentences
    return {
        "exported_per_second": round(checkpoint.size / (exported - began)),
        "verified_per_second": round(report.entries / (verified - exported)),
    }


async def storage(db: Database) -> dict[str, Any]:
    async with db.transaction() as session:
        total = await session.scalar(
            text(
                "SELECT pg_total_relation_size('audit.entries') "
                "+ pg_total_relation_size('audit.nodes') + pg_total_relation_size('audit.traces')"
            )
        )
        count = await session.scalar(text("SELECT count(*) FROM audit.entries"))
    return {"bytes_per_entry": round((total or 0) / (count or 1)), "of_which_leaf": LEAF_BYTES}


def percentile(took: list[float], share: float) -> float:
    return sorted(took)[min(len(took) - 1, int(len(took) * share))]


async def measure(database: FreshDatabase, entries: int) -> dict[str, Any]:
    db = database.open("audit", pool_size=20)
    sealer = Sealer(db, database.dsns["audit"].app, Sealing(ORIGIN, (signer(1),)))
    report = {
        "sequencing": await sequencing(db, sealer, entries),
        "live": await live(db, sealer),
        "append": await appending(db, sealer),
        "proofs": await proofs(db),
        "verifier": await verifier(db),
        "storage": await storage(db),
    }
    await database.close()
    return report


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.load.bench_audit")
    parser.add_argument("--entries", type=int, default=100_000, help="size of the backlog")
    entries = parser.parse_args().entries
    with test_server() as server:
        database = server.new_database()
        print(json.dumps(asyncio.run(measure(database, entries)), indent=2))


if __name__ == "__main__":
    main()
