"""SQL of appending, recovery, traces that lack, and evidence packages. Nothing here commits."""

from collections.abc import Sequence

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import BIGINT

from services.audit.leaf import Submission
from services.audit.store import SUBMITTED, Entry, columns
from shared.runtime.db import Session

_RESTORE = text(
    "WITH fresh AS (SELECT :size + row_number() OVER (ORDER BY place) - 1 AS index, * "
    "FROM unnest(:event_ids, :positions, :kinds, :disclosure_ids, :leaves, :traces) "
    "WITH ORDINALITY AS new(event_id, position, kind, disclosure_id, leaf, traces, place) "
    "WHERE NOT EXISTS (SELECT 1 FROM audit.entries AS e "
    "WHERE e.event_id = new.event_id AND e.position = new.position)), "
    "traced AS (INSERT INTO audit.traces (trace, index) SELECT trace, index FROM fresh, "
    "unnest(CAST(traces AS bigint[])) AS trace ORDER BY trace, index) "
    "INSERT INTO audit.entries (index, kind, disclosure_id, event_id, position, leaf, leaf_hash, "
    "submitted_at, sequenced_at) SELECT index, kind, disclosure_id, event_id, position, leaf, "
    "sha256('\\x00'::bytea || leaf), clock_timestamp(), clock_timestamp() FROM fresh "
    "RETURNING index, leaf_hash"
).bindparams(bindparam("size", type_=BIGINT), *SUBMITTED)


async def restore_entries(
    session: Session, size: int, submissions: Sequence[Submission]
) -> list[bytes]:
    """Append leaves at indexes `size`, `size` + 1, … past the queue: their hashes, by index.

    Those that are in the log already are left out. Only for the holder of the head's lock.
    """
    rows = await session.execute(_RESTORE, {"size": size, **columns(submissions)})
    return [leaf_hash for _, leaf_hash in sorted(tuple(row) for row in rows)]


async def entries_naming(session: Session, subject: str, start: int, end: int) -> list[Entry]:
    """Those of entries `start` to `end` - 1 whose leaf holds the id `subject`, in order."""
    rows = await session.execute(
        text(
            "SELECT index, kind, leaf, leaf_hash, sequenced_at FROM audit.entries "
            "WHERE index >= :start AND index < :end "
            "AND position(convert_to(:quoted, 'UTF8') IN leaf) > 0 ORDER BY index"
        ),
        {"start": start, "end": end, "quoted": f'"{subject}"'},
    )
    return [
        Entry(row["index"], row["kind"], row["leaf"], row["leaf_hash"], row["sequenced_at"])
        for row in rows
    ]


async def leaves_from(session: Session, start: int, limit: int) -> list[tuple[int, bytes]]:
    """The next entries from an index on: each with its leaf."""
    rows = await session.execute(
        text("SELECT index, leaf FROM audit.entries WHERE index >= :start ORDER BY index LIMIT :n"),
        {"start": start, "n": limit},
    )
    return [(row["index"], row["leaf"]) for row in rows]


_PAIRS = "unnest(CAST(:traces AS bigint[]), CAST(:indexes AS bigint[])) AS n(trace, index)"


async def lacking_traces(
    session: Session, wanted: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Of these pairs of a trace and an entry's index, those that are not there."""
    rows = await session.execute(
        text(
            f"SELECT n.trace, n.index FROM {_PAIRS} WHERE NOT EXISTS (SELECT 1 FROM audit.traces "
            "AS t WHERE t.trace = n.trace AND t.index = n.index)"
        ),
        _pairs(wanted),
    )
    return [(row["trace"], row["index"]) for row in rows]


async def add_traces(session: Session, wanted: Sequence[tuple[int, int]]) -> None:
    await session.execute(
        text(
            f"INSERT INTO audit.traces (trace, index) SELECT n.trace, n.index FROM {_PAIRS} "
            "ORDER BY 1, 2 ON CONFLICT DO NOTHING"
        ),
        _pairs(wanted),
    )


def _pairs(wanted: Sequence[tuple[int, int]]) -> dict[str, list[int]]:
    return {
        "traces": [trace for trace, _ in wanted],
        "indexes": [index for _, index in wanted],
    }
