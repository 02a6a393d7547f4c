"""SQL of the names and keys under which the log has gone on. Nothing here commits."""

from collections.abc import Iterable

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


async def keep_keys(session: Session, vkeys: Iterable[str]) -> None:
    """Remember the public keys that sign from now on."""
    await session.execute(
        text(
            "INSERT INTO audit.log_keys (vkey) SELECT unnest(CAST(:vkeys AS text[])) "
            "ON CONFLICT DO NOTHING"
        ),
        {"vkeys": list(vkeys)},
    )


async def keys_of(session: Session) -> list[str]:
    """Every public key that has ever signed this log, the oldest first."""
    rows = await session.execute(
        text("SELECT vkey FROM audit.log_keys ORDER BY first_used_at, vkey")
    )
    return [row.vkey for row in rows]
