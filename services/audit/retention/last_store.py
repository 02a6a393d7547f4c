"""The SQL of when something was last seen of a child, of what counts. Nothing here commits."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text

from shared.runtime.db import Session

COUNTS = (
    "NOT (CASE WHEN kind = 'audit_read' THEN "
    "coalesce(CAST(convert_from(leaf, 'UTF8') AS json) #>> '{record,purpose}', '') = 'retention' "
    "OR CAST(convert_from(leaf, 'UTF8') AS json) #>> '{record,asked}' = 'withholdings' "
    "ELSE false END)"
)
"""Of an entry: that content is kept for it. What is read in order to decide how long content is
kept, or what of a record is given out, keeps nothing alive."""
_OF_ANOTHER = (
    "NOT (CASE WHEN kind = 'decided' THEN "
    "CAST(convert_from(leaf, 'UTF8') AS json) #>> '{record,about}' = CAST(:request AS text) "
    "ELSE false END)"
)


async def last_entry(session: Session, traces: Sequence[int], request: str) -> datetime | None:
    """When the log took its last entry about any of these that counts, but for what is about this
    request itself; what waits to be sequenced counts."""
    counts = f"{COUNTS} AND {_OF_ANOTHER}"
    found: datetime | None = await session.scalar(
        text(
            "SELECT greatest((SELECT max(last.sequenced_at) "
            "FROM unnest(CAST(:traces AS bigint[])) AS w(trace) CROSS JOIN LATERAL "
            "(SELECT e.sequenced_at FROM audit.traces AS t JOIN audit.entries AS e USING (index) "
            f"WHERE t.trace = w.trace AND {counts} "
            "ORDER BY t.index DESC LIMIT 1) AS last), "
            "(SELECT max(submitted_at) FROM audit.submissions "
            f"WHERE traces && CAST(:traces AS bigint[]) AND {counts}))"
        ),
        {"traces": list(traces), "request": request},
    )
    return found
