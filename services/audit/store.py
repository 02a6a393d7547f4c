"""All SQL of the audit service. Nothing here commits."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, BYTEA, INTEGER, SMALLINT, TEXT

from services.audit.leaf import Submission
from services.audit.models import checkpoints, entries
from services.audit.tlog import Frontier, Node, consistency_spans, hash_spans, nodes_of
from shared.runtime.db import Session, wake_after_commit

SEAL_WAKE = "seal"


@dataclass(frozen=True)
class Entry:
    """An entry of the log."""

    index: int
    kind: str
    leaf: bytes
    leaf_hash: bytes
    sequenced_at: datetime


@dataclass(frozen=True)
class StoredCheckpoint:
    """A checkpoint as it was signed and stored."""

    size: int
    root: bytes
    note: str
    signed_at: datetime


SUBMITTED = (
    bindparam("event_ids", type_=ARRAY(TEXT)),
    bindparam("positions", type_=ARRAY(INTEGER)),
    bindparam("kinds", type_=ARRAY(TEXT)),
    bindparam("disclosure_ids", type_=ARRAY(TEXT)),
    bindparam("leaves", type_=ARRAY(BYTEA)),
    bindparam("traces", type_=ARRAY(TEXT)),
)
# OFFSET 0: each looked up by its key, however few there were when it was planned.
_SUBMIT = text(
    "INSERT INTO audit.submissions (event_id, position, kind, disclosure_id, leaf, traces) "
    "SELECT event_id, position, kind, disclosure_id, leaf, CAST(traces AS bigint[]) "
    "FROM unnest(:event_ids, :positions, :kinds, :disclosure_ids, :leaves, :traces) "
    "WITH ORDINALITY AS new(event_id, position, kind, disclosure_id, leaf, traces, place) "
    "WHERE NOT EXISTS (SELECT 1 FROM audit.entries AS e "
    "WHERE e.event_id = new.event_id AND e.position = new.position OFFSET 0) ORDER BY place "
    "ON CONFLICT DO NOTHING"
).bindparams(*SUBMITTED)


async def submit(session: Session, submissions: Sequence[Submission]) -> None:
    """Queue leaves for the log, in order, once each; wakes the sequencer after the commit."""
    await session.execute(_SUBMIT, columns(submissions))
    wake_after_commit(session, SEAL_WAKE)


def columns(submissions: Sequence[Submission]) -> dict[str, list[Any]]:
    """The values for SUBMITTED."""
    return {
        "event_ids": [each.event_id for each in submissions],
        "positions": [each.position for each in submissions],
        "kinds": [each.kind.value for each in submissions],
        "disclosure_ids": [each.disclosure_id for each in submissions],
        "leaves": [each.leaf for each in submissions],
        "traces": [f"{{{','.join(map(str, each.traces))}}}" for each in submissions],
    }


_LOCK_HEAD = text("SELECT size, peaks FROM audit.head FOR UPDATE")
_MOVE_HEAD = text("UPDATE audit.head SET size = :size, peaks = CAST(:peaks AS bytea[])")


async def lock_head(session: Session) -> Frontier:
    """The right edge of the committed tree, locked: nobody else appends or signs meanwhile."""
    row = (await session.execute(_LOCK_HEAD)).one()
    return Frontier(row.size, row.peaks)


# A row that is in the log already (its event was handled twice) leaves the queue and is not
# appended again. Only the holder of the head's lock runs this, so nobody can come between.
_APPEND = text(
    "WITH taken AS (DELETE FROM audit.submissions WHERE id IN "
    "(SELECT id FROM audit.submissions ORDER BY id LIMIT :limit) RETURNING *), "
    "fresh AS MATERIALIZED (SELECT *, :size + row_number() OVER (ORDER BY id) - 1 AS index "
    "FROM taken WHERE NOT EXISTS (SELECT 1 FROM audit.entries AS e "
    "WHERE e.event_id = taken.event_id AND e.position = taken.position)), "
    "traced AS (INSERT INTO audit.traces (trace, index) SELECT trace, index FROM fresh, "
    "unnest(traces) AS trace ORDER BY trace, index) "
    "INSERT INTO audit.entries (index, kind, disclosure_id, event_id, position, leaf, leaf_hash, "
    "submitted_at, sequenced_at) "
    "SELECT index, kind, disclosure_id, event_id, position, "
    "leaf, sha256('\\x00'::bytea || leaf), submitted_at, clock_timestamp() "
    "FROM fresh RETURNING index, leaf_hash"
).bindparams(bindparam("size", type_=BIGINT))


async def append_entries(session: Session, size: int, limit: int) -> list[bytes]:
    """Move queued leaves to indexes `size`, `size` + 1, …: their leaf hashes, by index."""
    rows = await session.execute(_APPEND, {"size": size, "limit": limit})
    return [leaf_hash for _, leaf_hash in sorted(tuple(row) for row in rows)]


_ADD_NODES = text(
    "INSERT INTO audit.nodes (level, index, hash) SELECT * FROM unnest(:levels, :indexes, :hashes)"
).bindparams(
    bindparam("levels", type_=ARRAY(SMALLINT)),
    bindparam("indexes", type_=ARRAY(BIGINT)),
    bindparam("hashes", type_=ARRAY(BYTEA)),
)


async def add_nodes(session: Session, completed: Sequence[tuple[int, int, bytes]]) -> None:
    if completed:
        levels, indexes, hashes = zip(*completed, strict=True)
        await session.execute(
            _ADD_NODES, {"levels": list(levels), "indexes": list(indexes), "hashes": list(hashes)}
        )


async def move_head(session: Session, frontier: Frontier) -> None:
    await session.execute(_MOVE_HEAD, {"size": frontier.size, "peaks": list(frontier.peaks)})


async def last_index(session: Session) -> int | None:
    """The highest index there is; None in an empty log."""
    found: int | None = await session.scalar(
        select(entries.c.index).order_by(entries.c.index.desc()).limit(1)
    )
    return found


# One statement for leaves and nodes: of a proof from a large log, the way to the server and back is
# half of what it costs.
_HASHES = text(
    "SELECT 0 AS level, index, leaf_hash AS hash FROM audit.entries "
    "WHERE index = ANY(CAST(:leaves AS bigint[])) "
    "UNION ALL SELECT n.level, n.index, n.hash FROM audit.nodes AS n "
    "JOIN unnest(CAST(:levels AS smallint[]), CAST(:indexes AS bigint[])) "
    "AS w(level, index) ON n.level = w.level AND n.index = w.index"
)


async def hashes_of(session: Session, wanted: Iterable[Node]) -> dict[Node, bytes]:
    """The hashes of perfect subtrees. A node that is not there is not in the answer."""
    wanted = set(wanted)
    if not wanted:
        return {}
    above = [node for node in wanted if node[0] > 0]
    rows = await session.execute(
        _HASHES,
        {
            "leaves": [index for level, index in wanted if level == 0],
            "levels": [level for level, _ in above],
            "indexes": [index for _, index in above],
        },
    )
    return {(level, index): found for level, index, found in rows}


async def consistency(session: Session, old: int, new: int) -> list[bytes]:
    """The RFC 6962 proof that the tree of `new` entries begins with that of `old`."""
    spans = consistency_spans(old, new)
    return hash_spans(spans, await hashes_of(session, nodes_of(spans)))


_LATEST = text("SELECT size, root, note, signed_at FROM audit.checkpoints ORDER BY id DESC LIMIT 1")


async def latest_checkpoint(session: Session) -> StoredCheckpoint | None:
    row = (await session.execute(_LATEST)).first()
    return StoredCheckpoint(row.size, row.root, row.note, row.signed_at) if row else None


async def add_checkpoint(session: Session, size: int, root: bytes, note: str) -> None:
    await session.execute(checkpoints.insert().values(size=size, root=root, note=note))


async def kept_checkpoints(session: Session, size: int) -> AsyncIterator[StoredCheckpoint]:
    """The newest 1,000 checkpoints and the last one of every hour, up to trees of `size`."""
    rows = session.stream(
        text(
            "(SELECT DISTINCT ON (date_trunc('hour', signed_at)) size, root, note, signed_at "
            "FROM audit.checkpoints WHERE size <= :size "
            "ORDER BY date_trunc('hour', signed_at), id DESC) "
            "UNION (SELECT size, root, note, signed_at FROM audit.checkpoints "
            "WHERE size <= :size ORDER BY id DESC LIMIT 1000)"
        ),
        {"size": size},
    )
    async for row in rows:
        yield StoredCheckpoint(row.size, row.root, row.note, row.signed_at)


_ENTRY = text(
    "SELECT index, kind, leaf, leaf_hash, sequenced_at FROM audit.entries WHERE index = :index"
)


async def entry(session: Session, index: int) -> Entry | None:
    row = (await session.execute(_ENTRY, {"index": index})).first()
    return _entry(row) if row else None


async def entries_from(session: Session, start: int, end: int) -> list[Entry]:
    """Entries `start` to `end` - 1, in order."""
    rows = await session.execute(
        select(entries)
        .where(entries.c.index >= start, entries.c.index < end)
        .order_by(entries.c.index)
    )
    return [_entry(row) for row in rows]


async def entries_of(session: Session, disclosure_id: str, size: int) -> list[tuple[int, str]]:
    """(index, kind) of a disclosure's entries among the first `size`, in order."""
    rows = await session.execute(
        select(entries.c.index, entries.c.kind)
        .where(entries.c.disclosure_id == disclosure_id, entries.c.index < size)
        .order_by(entries.c.index)
    )
    return [(row[0], row[1]) for row in rows]


async def ages(session: Session) -> dict[str, float]:
    """Seconds that the oldest unsequenced submission and the oldest unsigned entry have waited."""
    rows = await session.execute(
        text(
            "SELECT what, coalesce(extract(epoch FROM clock_timestamp() - since), 0) AS age FROM ("
            "SELECT 'audit_unsequenced', "
            "(SELECT submitted_at FROM audit.submissions ORDER BY id LIMIT 1) "
            "UNION ALL SELECT 'audit_unsigned', (SELECT sequenced_at FROM audit.entries "
            "WHERE index = coalesce((SELECT size FROM audit.checkpoints ORDER BY id DESC LIMIT 1),"
            " 0))) AS oldest(what, since)"
        )
    )
    return {row.what: max(0.0, float(row.age)) for row in rows}


def _entry(row: Any) -> Entry:
    return Entry(row["index"], row["kind"], row["leaf"], row["leaf_hash"], row["sequenced_at"])
