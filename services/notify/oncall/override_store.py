"""Overrides of the roster as they stand on record, and their ends. Nothing here commits."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from services.notify.oncall import tables
from services.notify.oncall.roster import Override
from shared.runtime.db import Session

_OVERRIDES, _ENDS = tables.roster_overrides.fullname, tables.roster_override_ends.fullname
_ALL = (
    "SELECT o.*, e.ended_at, e.ended_by "
    f"FROM {_OVERRIDES} o LEFT JOIN {_ENDS} e ON e.override_id = o.override_id"
)


@dataclass(frozen=True, slots=True)
class MadeOverride:
    """`ended_at`, `ended_by`: somebody ended it before its time."""

    override_id: str
    override: Override
    made_by: str
    ended_at: datetime | None
    ended_by: str | None

    def in_force(self, at: datetime) -> bool:
        return self.ended_at is None and self.override.holds(self.override.role, at)

    def over(self, at: datetime) -> bool:
        return self.ended_at is not None or self.override.ends_at <= at


async def get(session: Session, override_id: str) -> MadeOverride | None:
    rows = await session.execute(text(f"{_ALL} WHERE o.override_id = :id"), {"id": override_id})
    row = rows.first()
    return None if row is None else _made(row)


async def newest(session: Session, limit: int, *, not_over: datetime | None) -> list[MadeOverride]:
    """The last made first. `not_over`: only those that hold then or later."""
    rows = await session.execute(
        text(
            f"{_ALL} WHERE CAST(:now AS timestamptz) IS NULL OR "
            "(o.ends_at > :now AND e.override_id IS NULL) "
            "ORDER BY o.made_at DESC, o.override_id DESC LIMIT :limit"
        ),
        {"now": not_over, "limit": limit},
    )
    return [_made(row) for row in rows]


async def end(session: Session, override_id: str, *, by: str, now: datetime) -> None:
    """Of one that is on record. The first to end it stays."""
    await session.execute(
        text(
            f"INSERT INTO {_ENDS} (override_id, ended_by, ended_at) VALUES (:id, :by, :now) "
            "ON CONFLICT DO NOTHING"
        ),
        {"id": override_id, "by": by, "now": now},
    )


def _made(row: Any) -> MadeOverride:
    override = Override(row.role, row.person, row.instead_of, row.starts_at, row.ends_at)
    return MadeOverride(row.override_id, override, row.made_by, row.ended_at, row.ended_by)
