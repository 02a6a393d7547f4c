"""All SQL of operations. Runs in the caller's session, never commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, text

from services.intake.operations.embargo import Operation
from services.intake.operations.models import operation_ends, operation_readers, operations
from shared.runtime.db import Session
from shared.runtime.sealing import WrappedKey


@dataclass(frozen=True, slots=True)
class OperationRow:
    """An operation as it lies in the table."""

    operation_id: str
    key: WrappedKey
    sealed: bytes
    expires_at: datetime
    recorded_by: str
    recorded_at: datetime


async def create(session: Session, row: OperationRow, named: Sequence[str]) -> None:
    await session.execute(
        insert(operations).values(
            operation_id=row.operation_id,
            kek_version=row.key.kek_version,
            wrapped=row.key.wrapped,
            key_version=row.key.version,
            sealed=row.sealed,
            expires_at=row.expires_at,
            recorded_by=row.recorded_by,
            recorded_at=row.recorded_at,
        )
    )
    readers = [{"operation_id": row.operation_id, "person": person} for person in named]
    await session.execute(insert(operation_readers), readers)


async def hold(session: Session, operation_id: str) -> tuple[Operation, OperationRow] | None:
    """An operation that nobody else ends until this transaction does."""
    row = (await session.execute(_HOLD, {"operation_id": operation_id})).first()
    if row is None:
        return None
    named = await session.execute(_NAMED, {"operation_id": operation_id})
    key = WrappedKey(row.kek_version, row.wrapped, row.key_version)
    stored = OperationRow(
        operation_id, key, row.sealed, row.expires_at, row.recorded_by, row.recorded_at
    )
    return Operation(frozenset(each.person for each in named), row.expires_at), stored


async def shown_to(session: Session, person: str, now: datetime) -> list[tuple[str, datetime]]:
    """The ids and ends of the operations under way that name a person."""
    rows = await session.execute(_MINE, {"person": person, "now": now})
    return [(row.operation_id, row.expires_at) for row in rows]


async def end(
    session: Session, operation_id: str, expires_at: datetime, actor: str, now: datetime
) -> None:
    """Move the end of an operation that is held, and keep that it was moved."""
    await session.execute(_END, {"operation_id": operation_id, "expires_at": expires_at})
    await session.execute(
        insert(operation_ends).values(
            operation_id=operation_id, recorded_at=now, expires_at=expires_at, recorded_by=actor
        )
    )


async def count_over(session: Session, since: datetime, now: datetime) -> int:
    """How many operations ended from `since` on and are over: what statistics may know of them."""
    count: int = await session.scalar(_OVER, {"since": since, "now": now}) or 0
    return count


_HOLD = text(
    """
SELECT kek_version, wrapped, key_version, sealed, expires_at, recorded_by, recorded_at
FROM intake.operations WHERE operation_id = CAST(:operation_id AS text) FOR NO KEY UPDATE
"""
)
_NAMED = text(
    "SELECT person FROM intake.operation_readers WHERE operation_id = CAST(:operation_id AS text)"
)
_MINE = text(
    """
SELECT o.operation_id, o.expires_at
FROM intake.operation_readers AS n JOIN intake.operations AS o USING (operation_id)
WHERE n.person = CAST(:person AS text) AND o.expires_at > CAST(:now AS timestamptz)
ORDER BY o.expires_at, o.operation_id
"""
)
_END = text(
    """
UPDATE intake.operations SET expires_at = CAST(:expires_at AS timestamptz)
WHERE operation_id = CAST(:operation_id AS text)
"""
)
_OVER = text(
    """
SELECT count(*) FROM intake.operations
WHERE expires_at >= CAST(:since AS timestamptz) AND expires_at <= CAST(:now AS timestamptz)
"""
)
