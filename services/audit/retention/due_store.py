"""The SQL of what is due. Walks the traces from value to value: it reads a step for each value
that there is, not a row for each entry. Nothing here commits."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from services.audit.retention.last_store import COUNTS
from shared.runtime.db import Session


@dataclass(frozen=True, slots=True)
class Last:
    """The last entry that a trace names."""

    trace: int
    index: int
    leaf: bytes
    sequenced_at: Any


_WALK = text(
    """
WITH RECURSIVE walk(trace, seen) AS (
    (SELECT t.trace, 1 FROM audit.traces AS t WHERE t.trace > :after ORDER BY t.trace LIMIT 1)
    UNION ALL
    SELECT (SELECT t.trace FROM audit.traces AS t WHERE t.trace > w.trace
        ORDER BY t.trace LIMIT 1), w.seen + 1
    FROM walk AS w WHERE w.trace IS NOT NULL AND w.seen < :steps
)
SELECT w.trace, e.index, e.leaf, e.sequenced_at
FROM walk AS w
LEFT JOIN LATERAL (SELECT last.* FROM audit.traces AS t JOIN audit.entries AS last USING (index)
    WHERE t.trace = w.trace AND """
    f"{COUNTS}"
    """
    ORDER BY t.index DESC LIMIT 1) AS e ON e.index < :cutoff
WHERE w.trace IS NOT NULL
ORDER BY w.trace
"""
)


async def walk(
    session: Session, after: int, cutoff: int, steps: int
) -> tuple[list[Last], int | None]:
    """Traces whose last entry lies before `cutoff`, of the next `steps` traces behind `after`;
    and the one to go on from, None at the end."""
    rows = (await session.execute(_WALK, {"after": after, "cutoff": cutoff, "steps": steps})).all()
    found = [
        Last(row["trace"], row["index"], row["leaf"], row["sequenced_at"])
        for row in rows
        if row["leaf"] is not None
    ]
    return found, rows[-1]["trace"] if len(rows) == steps else None
