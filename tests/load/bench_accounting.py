"""How fast an accounting is in a large log: `python -m tests.load.bench_accounting [--entries N]`.

Fills entries and traces on a PostgreSQL of its own, durable settings, with generated rows as wide
as real ones (attempts and outcomes, five of each to a child), for at most --seconds; says how many
it made. The tree's nodes are left out: no accounting without proofs reads them. Then it times the
accounting of one child, a search, and the report of what is due, and prints the query plan. JSON.
"""

import argparse
import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import text

from services.audit.accounting import store
from services.audit.accounting.asking import Accountant, Purpose, Question
from services.audit.accounting.neighbours import Subjects
from services.audit.accounting.searching import Search, search
from services.audit.accounting.withholding import Audience
from services.audit.reading import Reader
from services.audit.retention import due as due_report
from services.audit.retention.desk import RetentionDesk
from services.audit.traces import Facet, trace
from shared.runtime.db import Database
from tests.support.accounting import FakeNames
from tests.support.databases import FreshDatabase, test_server

BATCH = 100_000
EACH = 10
"""Entries of a child."""
READER = Reader("officer-1", person=True)


def child(number: int) -> str:
    return f"chd_{number:032x}"


_FILL = text(
    """
WITH made AS MATERIALIZED (
    SELECT i AS index, i / 10 AS child, i % 2 = 0 AS attempt,
        'chd_' || lpad(to_hex(i / 10), 32, '0') AS child_id,
        'ref_' || lpad(to_hex(i / 10), 32, '0') AS referral_id,
        'dsc_' || lpad(to_hex(i / 2), 32, '0') AS disclosure_id,
        'agy_' || lpad(to_hex((i / 2) % 200), 32, '0') AS agency_id
    FROM generate_series(CAST(:low AS bigint), CAST(:high AS bigint)) AS i
), written AS (
    SELECT made.*, convert_to('{"event":{"id":"' || gen_random_uuid() || '"},"kind":"'
        || CASE WHEN attempt THEN 'attempted' ELSE 'completed' END || '","position": 0,"record":'
        || CASE WHEN attempt THEN
            '{"agency_id":"' || agency_id || '","attempted_at":"2026-03-02T19:07:00Z",'
            || '"authority":"CGS 17a-101b(c)","channel":"encrypted","child_id":"' || child_id
            || '","commitment":"' || repeat('ab', 32)
            || '","directory_version": 4,"disclosure_id":"' || disclosure_id
            || '","fields":["name","residence_town","ht_type"],"notice_id":"ntc_'
            || repeat('0', 32) || '","purpose":"Notification by DCF-737","role":'
            || '"local_law_enforcement","rule":"incident_town","rules_version":"3","version": 1}'
          ELSE
            '{"child_id":"' || child_id || '","disclosure_id":"' || disclosure_id
            || '","http_status": 200,"notice_id":"ntc_' || repeat('0', 32)
            || '","occurred_at":"2026-03-02T19:07:01Z"}'
          END || ',"referral_id":"' || referral_id || '","salt":"' || repeat('0', 32)
        || '","v": 1}', 'UTF8') AS leaf
    FROM made
), traced AS (
    INSERT INTO audit.traces (trace, index)
    SELECT ('x' || encode(substr(sha256(convert_to(said, 'UTF8')), 1, 8), 'hex'))::bit(64)::bigint,
        index
    FROM (
        SELECT 'subject=' || child_id AS said, index FROM made
        UNION ALL SELECT 'subject=' || referral_id, index FROM made
        UNION ALL SELECT 'agency=' || agency_id, index FROM made WHERE attempt
        UNION ALL SELECT 'authority=CGS 17a-101b(c)', index FROM made WHERE attempt
    ) AS each
)
INSERT INTO audit.entries (index, kind, disclosure_id, event_id, position, leaf, leaf_hash,
    submitted_at, sequenced_at)
SELECT index, CASE WHEN attempt THEN 'attempted' ELSE 'completed' END, disclosure_id,
    'event-' || index, 0, leaf, sha256('\\x00'::bytea || leaf),
    now() - interval '9 years' + index * interval '10 seconds',
    now() - interval '9 years' + index * interval '10 seconds'
FROM written
"""
)


class OnePerson:
    """Intake, of which two children are one person."""

    async def subjects(self, child_id: str) -> Subjects:
        number = int(child_id[4:], 16)
        ids = (child_id, child(number ^ 1))
        return Subjects(referral_id=f"ref_{number:032x}", child_ids=ids, call_ids=(), shredded=())

    async def shred(self, child_id: str, shredding_id: str) -> None:
        raise AssertionError("a benchmark destroys nothing")


async def fill(db: Database, most: int, seconds: float) -> dict[str, Any]:
    began, made = time.perf_counter(), 0
    while made < most and time.perf_counter() - began < seconds:
        async with db.transaction() as session:
            await session.execute(_FILL, {"low": made, "high": made + BATCH - 1})
        made += BATCH
    async with db.transaction() as session:
        await session.execute(
            text("INSERT INTO audit.checkpoints (size, root, note) VALUES (:size, '', '')"),
            {"size": made},
        )
    taken = time.perf_counter() - began
    await db.execute(text("ANALYZE audit.entries"))
    await db.execute(text("ANALYZE audit.traces"))
    return {"entries": made, "traces": made * 3, "seconds": round(taken, 1)}


async def timed(times: int, once: Callable[[], Awaitable[object]]) -> dict[str, float]:
    took = []
    for _ in range(times):
        began = time.perf_counter()
        await once()
        took.append((time.perf_counter() - began) * 1000)
    took.sort()
    return {
        "p50_ms": round(took[len(took) // 2], 1),
        "p95_ms": round(took[int(len(took) * 0.95)], 1),
        "max_ms": round(took[-1], 1),
    }


async def plan(db: Database, traces: list[int], size: int) -> list[str]:
    async with db.transaction() as session:
        rows = await session.execute(
            text(f"EXPLAIN (ANALYZE, BUFFERS) {store._ABOUT.text}"),
            {"traces": traces, "size": size},
        )
        return [row[0] for row in rows]


async def measure(database: FreshDatabase, most: int, seconds: float) -> dict[str, Any]:
    db, owner = database.open("audit"), database.open("audit", owner=True)
    filled = await fill(owner, most, seconds)
    size = filled["entries"]
    accountant = Accountant(db, OnePerson(), FakeNames())
    desk = RetentionDesk(db, OnePerson())

    async def one() -> None:
        asked = Question(
            child(random.randrange(size // EACH)),
            Purpose.COMPLIANCE_REVIEW,
            Audience.OFFICER,
            READER,
        )
        made = await accountant.answer(asked)
        assert made is not None
        assert len(made.rows) == EACH

    async def by_agency() -> None:
        facets = {
            Facet.AGENCY: f"agy_{random.randrange(200):032x}",
            Facet.AUTHORITY: "CGS 17a-101b(c)",
        }
        wanted = Search(READER, Purpose.INVESTIGATION, facets, None, None, size // 2, 100)
        await search(db, wanted)

    async def due() -> None:
        await due_report.due(desk, READER, random.getrandbits(62))

    number = random.randrange(size // EACH)
    traces = [trace(Facet.SUBJECT, child(each)) for each in (number, number ^ 1)]
    report = {
        "filled": filled,
        "accounting": await timed(300, one),
        "search": await timed(100, by_agency),
        "due": await timed(10, due),
        "plan": await plan(db, traces, size),
    }
    await database.close()
    return report


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.load.bench_accounting")
    parser.add_argument("--entries", type=int, default=10_000_000, help="at most so many")
    parser.add_argument("--seconds", type=float, default=120.0, help="to fill for, at most")
    chosen = parser.parse_args()
    with test_server() as server:
        database = server.new_database()
        report = asyncio.run(measure(database, chosen.entries, chosen.seconds))
        print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
