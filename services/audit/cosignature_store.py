"""SQL of the witnesses' cosignatures. Nothing here commits."""

from collections.abc import Sequence

from sqlalchemy import text

from services.audit.store import StoredCheckpoint
from shared.runtime.db import Session


async def add(session: Session, checkpoint: StoredCheckpoint, lines: dict[str, str]) -> None:
    """Keep what witnesses, by their public keys, said of a checkpoint."""
    for witness, line in lines.items():
        await session.execute(
            text(
                "INSERT INTO audit.cosignatures (size, root, witness, line) "
                "VALUES (:size, :root, :witness, :line)"
            ),
            {
                "size": checkpoint.size,
                "root": checkpoint.root,
                "witness": witness,
                "line": line,
            },
        )


_OF_TREE = text(
    "SELECT DISTINCT ON (witness) line FROM audit.cosignatures "
    "WHERE size = :size AND root = :root ORDER BY witness, id DESC"
)


async def of(session: Session, size: int, root: bytes) -> list[str]:
    """The lines for one tree, the newest of each witness."""
    rows = await session.execute(_OF_TREE, {"size": size, "root": root})
    return [row.line for row in rows]


async def all_lines(session: Session) -> dict[tuple[int, bytes], list[str]]:
    """Every tree's lines, the newest of each witness, by size and root."""
    rows = await session.execute(
        text(
            "SELECT DISTINCT ON (size, root, witness) size, root, line FROM audit.cosignatures "
            "ORDER BY size, root, witness, id DESC"
        )
    )
    found: dict[tuple[int, bytes], list[str]] = {}
    for row in rows:
        found.setdefault((row.size, row.root), []).append(row.line)
    return found


async def with_lines(session: Session, checkpoint: StoredCheckpoint) -> StoredCheckpoint:
    """The checkpoint with every cosignature that we have of it below its signatures."""
    lines = await of(session, checkpoint.size, checkpoint.root)
    note = checkpoint.note + "".join(lines)
    return StoredCheckpoint(checkpoint.size, checkpoint.root, note, checkpoint.signed_at)


_COSIGNED = text(
    "SELECT c.size, c.root, c.note, c.signed_at FROM audit.checkpoints AS c "
    "JOIN (SELECT size, root FROM audit.cosignatures ORDER BY size DESC, id DESC LIMIT 1) AS w "
    "ON c.size = w.size AND c.root = w.root ORDER BY c.id DESC LIMIT 1"
)


async def latest_cosigned(session: Session) -> StoredCheckpoint | None:
    """The newest checkpoint that some witness has cosigned, with the cosignatures."""
    row = (await session.execute(_COSIGNED)).first()
    if row is None:
        return None
    return await with_lines(session, StoredCheckpoint(row.size, row.root, row.note, row.signed_at))


async def witnesses_of(session: Session) -> list[str]:
    """The public key of every witness that ever cosigned this log."""
    rows = await session.execute(
        text("SELECT DISTINCT witness FROM audit.cosignatures ORDER BY witness")
    )
    return [row.witness for row in rows]


async def silence(session: Session, witnesses: Sequence[str]) -> float:
    """Seconds that the oldest checkpoint has waited for the slowest of `witnesses`."""
    age = await session.scalar(
        text(
            "SELECT max(extract(epoch FROM clock_timestamp() - waiting.signed_at)) "
            "FROM unnest(CAST(:witnesses AS text[])) AS w(name) CROSS JOIN LATERAL "
            "(SELECT signed_at FROM audit.checkpoints WHERE size > coalesce((SELECT max(size) "
            "FROM audit.cosignatures WHERE witness = w.name), 0) ORDER BY id LIMIT 1) AS waiting"
        ),
        {"witnesses": list(witnesses)},
    )
    return max(0.0, float(age or 0.0))
