"""All SQL of placements and repatriations. Runs in the caller's session, never commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Table, insert, text

from services.intake.placements.models import (
    determinations,
    placement_confirmations,
    placements,
    repatriations,
    tellings,
)
from shared.runtime.db import Session


@dataclass(frozen=True, slots=True)
class PlacementRow:
    placement_id: str
    referral_id: str
    child_id: str
    sealed: bytes
    recorded_by: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class TellingRow:
    """A telling by word of mouth: `sealed` says to whom."""

    disclosure_id: str
    placement_id: str
    version: int
    sealed: bytes
    fields: Sequence[str]
    actor: str
    authority: str
    purpose: str
    commitment: str
    occurred_at: datetime
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class ConfirmationRow:
    placement_id: str
    recorded_by: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class DeterminationRow:
    determination_id: str
    referral_id: str
    child_id: str
    finding: str
    sealed: bytes
    recorded_by: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class RepatriationRow:
    repatriation_id: str
    referral_id: str
    child_id: str
    recorded_by: str
    recorded_at: datetime


Stored = PlacementRow | TellingRow | ConfirmationRow | DeterminationRow | RepatriationRow
_TABLES: dict[type[Any], Table] = {
    PlacementRow: placements,
    TellingRow: tellings,
    ConfirmationRow: placement_confirmations,
    DeterminationRow: determinations,
    RepatriationRow: repatriations,
}


async def keep(session: Session, row: Stored) -> None:
    """Append a row to its table."""
    values = {name: getattr(row, name) for name in type(row).__slots__}
    await session.execute(insert(_TABLES[type(row)]).values(values))


async def find(session: Session, placement_id: str) -> PlacementRow | None:
    row = (await session.execute(_FIND, {"placement_id": placement_id})).first()
    if row is None:
        return None
    return PlacementRow(**{name: getattr(row, name) for name in PlacementRow.__slots__})


async def told(session: Session, placement_id: str) -> list[str]:
    """The names of the fields that the facility was told."""
    rows = await session.execute(_TOLD, {"placement_id": placement_id})
    return [row.field for row in rows]


async def confirmed(session: Session, placement_id: str) -> bool:
    return bool(await session.scalar(_CONFIRMED, {"placement_id": placement_id}))


async def determined(session: Session, child_id: str) -> list[DeterminationRow]:
    """A child's determinations, oldest first."""
    rows = await session.execute(_DETERMINED, {"child_id": child_id})
    return [
        DeterminationRow(**{name: getattr(row, name) for name in DeterminationRow.__slots__})
        for row in rows
    ]


_FIND = text(
    """
SELECT placement_id, referral_id, child_id, sealed, recorded_by, recorded_at
FROM intake.placements WHERE placement_id = CAST(:placement_id AS text)
"""
)
_TOLD = text(
    """
SELECT DISTINCT field FROM intake.tellings AS t CROSS JOIN unnest(t.fields) AS told(field)
WHERE t.placement_id = CAST(:placement_id AS text)
"""
)
_CONFIRMED = text(
    "SELECT EXISTS (SELECT FROM intake.placement_confirmations "
    "WHERE placement_id = CAST(:placement_id AS text))"
)
_DETERMINED = text(
    """
SELECT determination_id, referral_id, child_id, finding, sealed, recorded_by, recorded_at
FROM intake.determinations WHERE child_id = CAST(:child_id AS text)
ORDER BY recorded_at, determination_id
"""
)
