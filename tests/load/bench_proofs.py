"""How fast proofs are from a large log: `python -m tests.load.bench_proofs [--entries N]`.

On a PostgreSQL of its own. The tree is generated in the server, not appended: entry i has the leaf
int8(i) padded to 64 bytes, its true RFC 6962 leaf hash, and the nodes of each level are hashed
from the level below by one INSERT … SELECT. The head's peaks are read from the nodes; then the
sequencer's own start-up check and signature run over it, and every measured proof is verified as
a stranger would. Prints JSON: milliseconds, plans, bytes per entry.
"""

import argparse
import asyncio
import json
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import text

from services.audit import reading, store, tlog
from services.audit.note import PublicKey, parse_checkpoint, parse_note
from services.audit.proofs import verify_proof
from services.audit.sealer import Sealer, Sealing
from shared.runtime.db import Database, Session
from shared.runtime.wakes import Wakes
from tests.load.bench_audit import percentile
from tests.support.audit import ORIGIN, signer
from tests.support.databases import FreshDatabase, test_server

STEP = 500_000
PROOFS = 500

_ENTRIES = (
    "INSERT INTO audit.entries SELECT i, 'attempted', NULL, 'event-' || i, 0, leaf, "
    "sha256('\\x00'::bytea || leaf), now(), now() FROM (SELECT i, int8send(i) || "
    "CAST(repeat('x', 56) AS bytea) AS leaf FROM generate_series({start}, {end}) AS i) AS made"
)
_LEVEL_ONE = (
    "INSERT INTO audit.nodes SELECT 1, index >> 1, sha256('\\x01'::bytea || leaf_hash || next) "
    "FROM (SELECT index, leaf_hash, lead(leaf_hash) OVER (ORDER BY index) AS next "
    "FROM audit.entries WHERE index >= {start} AND index <= {end}) AS pairs "
    "WHERE index % 2 = 0 AND next IS NOT NULL"
)
_LEVEL = (
    "INSERT INTO audit.nodes SELECT {level} + 1, index >> 1, "
    "sha256('\\x01'::bytea || hash || next) FROM (SELECT index, hash, "
    "lead(hash) OVER (ORDER BY index) AS next FROM audit.nodes "
    "WHERE level = {level}) AS pairs WHERE index % 2 = 0 AND next IS NOT NULL"
)


async def generate(database: FreshDatabase, size: int) -> dict[str, Any]:
    """Entries, nodes and head of a log of `size` entries."""
    began = time.perf_counter()
    superuser = Database.open(database.superuser_dsn, Wakes(), name="bench")
    for start in range(0, size, STEP):
        end = min(start + STEP, size) - 1
        for statement in (_ENTRIES, _LEVEL_ONE):
            await _patiently(superuser, statement.format(start=start, end=end))
    for level in range(1, size.bit_length()):
        await _patiently(superuser, _LEVEL.format(level=level))
    async with superuser.transaction() as session:
        nodes = await store.hashes_of(session, tlog.cover(0, size))
        peaks = [nodes[node] for node in tlog.cover(0, size)]
        await store.move_head(session, tlog.Frontier(size, peaks))
    await _patiently(superuser, "ANALYZE audit.entries")
    await _patiently(superuser, "ANALYZE audit.nodes")
    await superuser.close()
    return {"entries": size, "generated_in_seconds": round(time.perf_counter() - began)}


async def _patiently(db: Database, statement: str) -> None:
    """Without the limit of half a minute that a service puts on its statements."""
    async with db._taken() as connection:
        await connection.execute(statement, timeout=1800)


async def inclusion(db: Database, size: int, key: PublicKey) -> dict[str, Any]:
    async def once() -> None:
        index = secrets.randbelow(size)
        async with db.transaction() as session:
            found = await reading.proof(session, index)
        assert found is not None
        kept.append((index, found))

    kept: list[tuple[int, str]] = []
    timed = await timed_ms(once)
    for index, proof in kept:
        leaf = index.to_bytes(8, "big") + b"x" * 56
        assert verify_proof(proof.encode(), leaf, [key])[0] == index
    return timed | {"longest_bytes": max(len(proof) for _, proof in kept)}


async def consistency(db: Database, size: int, root: bytes) -> dict[str, Any]:
    async def once() -> None:
        old = 1 + secrets.randbelow(size)
        async with db.transaction() as session:
            kept.append((old, await store.consistency(session, old, size)))

    kept: list[tuple[int, list[bytes]]] = []
    timed = await timed_ms(once)
    for old, proof in kept[:50]:
        async with db.transaction() as session:
            nodes = await store.hashes_of(session, tlog.cover(0, old))
        tlog.verify_consistency(old, size, tlog.root_at(old, nodes), root, proof)
    return timed


async def timed_ms(once: Callable[[], Awaitable[None]]) -> dict[str, Any]:
    took = []
    for _ in range(PROOFS):
        began = time.perf_counter()
        await once()
        took.append((time.perf_counter() - began) * 1000)
    return {
        "p50_ms": round(percentile(took, 0.5), 2),
        "p95_ms": round(percentile(took, 0.95), 2),
        "max_ms": round(max(took), 2),
    }


async def plans(db: Database, size: int) -> dict[str, list[str]]:
    """What the server does for the two statements of a proof."""
    wanted = tlog.nodes_of(tlog.inclusion_spans(size // 3, size))
    above = [node for node in wanted if node[0] > 0]
    levels = ", ".join(f"({level}::smallint, {index}::bigint)" for level, index in above)
    array = f"ANY('{{{size // 3}}}'::bigint[])"
    async with db.transaction() as session:
        return {
            "nodes": await _plan(
                session,
                "SELECT n.hash FROM audit.nodes AS n JOIN (VALUES "
                f"{levels}) AS w(level, index) ON n.level = w.level AND n.index = w.index",
            ),
            "leaves": await _plan(
                session,
                f"SELECT leaf_hash FROM audit.entries WHERE index = {array}",
            ),
        }


async def _plan(session: Session, statement: str) -> list[str]:
    rows = await session.execute(text(f"EXPLAIN (ANALYZE, COSTS OFF, SUMMARY OFF) {statement}"))
    return [row[0] for row in rows]


async def storage(db: Database) -> dict[str, Any]:
    async with db.transaction() as session:
        rows = await session.execute(
            text(
                "SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r' "
                "AND relnamespace = 'audit'::regnamespace AND relname IN ('entries', 'nodes')"
            )
        )
        count = (await store.lock_head(session)).size
        return {f"{row[0]}_bytes_per_entry": round(row[1] / count) for row in rows} | {
            "of_which_leaf": 64
        }


async def measure(database: FreshDatabase, size: int) -> dict[str, Any]:
    report: dict[str, Any] = {"tree": await generate(database, size)}
    db = database.open("audit", pool_size=4)
    sealer = Sealer(db, database.dsns["audit"].app, Sealing(ORIGIN, (signer(1),)))
    began = time.perf_counter()
    await sealer.check()
    report["startup_check_ms"] = round((time.perf_counter() - began) * 1000, 1)
    await sealer.sign_once()
    async with db.transaction() as session:
        newest = await store.latest_checkpoint(session)
    assert newest is not None
    checkpoint = parse_checkpoint(parse_note(newest.note.encode()).text)
    report["inclusion"] = await inclusion(db, size, signer(1).public)
    report["consistency"] = await consistency(db, size, checkpoint.root)
    report["storage"] = await storage(db)
    report["plans"] = await plans(db, size)
    await database.close()
    return report


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.load.bench_proofs")
    parser.add_argument("--entries", type=int, default=10_000_000)
    size = parser.parse_args().entries
    with test_server() as server:
        print(json.dumps(asyncio.run(measure(server.new_database(), size)), indent=2))


if __name__ == "__main__":
    main()
