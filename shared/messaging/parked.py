"""What a person does with a parked subject: look, replay it, or skip its event."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import text

from shared.messaging.forks import fork_numbers
from shared.messaging.quarantined import FORK
from shared.messaging.streams import Claimed, Streams
from shared.messaging.tables import InboxTables
from shared.runtime.db import Session

_THROUGH = "(CAST(:through AS timestamptz) IS NULL OR parked_at <= :through)"


@dataclass(frozen=True, slots=True)
class Parked:
    """A subject that waits for a person."""

    topic: str
    source: str
    subject: str
    sequence: int
    reason: str
    parked_at: datetime


async def list_parked(session: Session, tables: InboxTables) -> list[Parked]:
    """Every parked subject, the longest first. A fork has the number that two events have."""
    rows = await session.execute(
        text(
            "SELECT topic, source, subject, cursor + 1 AS sequence, parked_reason, parked_at "
            f"FROM {tables.streams.fullname} WHERE parked_at IS NOT NULL ORDER BY parked_at"
        )
    )
    found = [
        Parked(r.topic, r.source, r.subject, r.sequence, r.parked_reason, r.parked_at) for r in rows
    ]
    if all(each.reason != FORK for each in found):
        return found
    numbers = await fork_numbers(session, tables)
    return [
        replace(each, sequence=numbers.get((each.topic, each.source, each.subject), each.sequence))
        if each.reason == FORK
        else each
        for each in found
    ]


async def replay(
    session: Session,
    tables: InboxTables,
    subject: str,
    through: datetime | None = None,
    *,
    by: str = "replay",
) -> int:
    """Try the parked event again, now. How many streams of the subject were released.

    `through`: none that was parked later.
    """
    rows = await session.execute(
        text(
            f"UPDATE {tables.streams.fullname} SET parked_at = NULL, parked_reason = NULL, "
            "failures = 0, ready_at = clock_timestamp() "
            f"WHERE subject = :subject AND parked_at IS NOT NULL AND {_THROUGH} RETURNING topic"
        ),
        {"subject": subject, "through": through},
    )
    topics = list(rows.scalars())
    await _release_quarantine(session, tables, subject, topics, by)
    return len(topics)


async def skip(
    session: Session, tables: InboxTables, subject: str, by: str, through: datetime | None = None
) -> int:
    """Move on past the parked events without handling them. `by` is kept with each event.

    A stream parked for a fork is only released: its other event lies in quarantine, and moving
    the cursor would drop a good one.
    """
    rows = await session.execute(
        text(
            "SELECT s.topic, s.source, s.subject, i.sequence "
            f"FROM {tables.streams.fullname} s JOIN {tables.inbox.fullname} i "
            "ON i.topic = s.topic AND i.source = s.source AND i.subject = s.subject "
            "AND i.sequence = s.cursor + 1 "
            f"WHERE s.subject = :subject AND s.parked_at IS NOT NULL AND {_THROUGH} "
            "AND s.parked_reason <> 'sequence_conflict' ORDER BY s.topic, s.source FOR UPDATE OF s"
        ),
        {"subject": subject, "through": through},
    )
    skipped = rows.all()
    for row in skipped:
        parked = Claimed(row.topic, row.source, row.subject, row.sequence, 0, "", ())
        await Streams(tables).skip(session, parked, by)
    topics = [row.topic for row in skipped]
    await _release_quarantine(session, tables, subject, topics, by)
    return len(topics) + await replay(session, tables, subject, through, by=by)


async def _release_quarantine(
    session: Session, tables: InboxTables, subject: str, topics: Sequence[str], by: str
) -> None:
    """A fork's other event stays where it is, marked as looked at. Of these topics alone: what
    was not released with its stream still waits."""
    await session.execute(
        text(
            f"UPDATE {tables.quarantine.fullname} SET released_at = clock_timestamp(), "
            "released_by = :by WHERE released_at IS NULL AND body IS NOT NULL "
            "AND topic = ANY(CAST(:topics AS text[])) "
            "AND position(convert_to('\"' || CAST(:subject AS text) || '\"', 'UTF8') IN body) > 0"
        ),
        {"subject": subject, "topics": list(topics), "by": by},
    )
