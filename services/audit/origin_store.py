"""SQL of the origins under which the log has gone on. Nothing here commits."""

from sqlalchemy import text

from services.audit.continuity import Origin
from services.audit.note import parse_checkpoint, parse_note
from shared.runtime.db import Session


async def all_of(session: Session) -> list[Origin]:
    """Every turn of the log, the oldest first; empty for a log that never was restored."""
    rows = await session.execute(
        text(
            "SELECT origin, from_index, previous, committed FROM audit.origins ORDER BY from_index"
        )
    )
    return [
        Origin(
            row.origin,
            row.from_index,
            row.previous,
            parse_checkpoint(parse_note(row.committed.encode()).text),
        )
        for row in rows
    ]


async def add(
    session: Session, origin: str, from_index: int, previous: str, committed: str
) -> None:
    """`committed` is the signed note."""
    await session.execute(
        text(
            "INSERT INTO audit.origins (origin, from_index, previous, committed) "
            "VALUES (:origin, :from_index, :previous, :committed)"
        ),
        {
            "origin": origin,
            "from_index": from_index,
            "previous": previous,
            "committed": committed,
        },
    )
