"""What a person does with a record that could not be read: look, and say that it is understood."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from shared.messaging.tables import InboxTables
from shared.runtime.db import Session

FORK = "sequence_conflict"
"""It is released with its parked subject, and by nothing else."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A record that waits for a person. What it holds is not kept: it may be anything."""

    place: str
    """TOPIC/PARTITION/OFFSET: its name."""
    reason: str
    length: int
    sha256: str
    at: datetime


async def list_quarantined(session: Session, tables: InboxTables) -> list[Quarantined]:
    """Every record that nobody has released, the oldest first."""
    rows = await session.execute(
        text(
            "SELECT concat_ws('/', topic, partition, \"offset\") AS place, reason, length, sha256, "
            f"quarantined_at FROM {tables.quarantine.fullname} WHERE released_at IS NULL "
            'ORDER BY quarantined_at, topic, partition, "offset"'
        )
    )
    return [Quarantined(r.place, r.reason, r.length, r.sha256, r.quarantined_at) for r in rows]


async def release(session: Session, tables: InboxTables, place: str, by: str) -> int:
    """Mark it as understood. 1, or 0 when there is none, it is released, or it is a fork."""
    rows = await session.execute(
        text(
            f"UPDATE {tables.quarantine.fullname} SET released_at = clock_timestamp(), "
            "released_by = :by WHERE released_at IS NULL AND reason <> :fork "
            "AND concat_ws('/', topic, partition, \"offset\") = :place RETURNING 1"
        ),
        {"place": place, "by": by, "fork": FORK},
    )
    return len(rows.all())
