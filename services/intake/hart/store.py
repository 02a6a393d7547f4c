"""All SQL of consults, recusals and broken glass. Runs in the caller's session, never commits."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, text

from services.intake.hart.models import consult_entries, consults, glass_breaks, recusals
from shared.runtime.db import Session


@dataclass(frozen=True, slots=True)
class ConsultRow:
    """A consult; what became of it its entries say."""

    consult_id: str
    referral_id: str
    child_id: str
    ordinal: int


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One line of a consult's history."""

    consult_id: str
    position: int
    step: str
    actor: str
    person: str
    occurred_at: datetime
    recorded_at: datetime
    sealed: bytes | None


@dataclass(frozen=True, slots=True)
class RecusalRow:
    """Somebody's conflict in a referral."""

    recusal_id: str
    referral_id: str
    person_index: bytes
    child_id: str
    sealed: bytes
    recorded_by: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class GlassRow:
    """A read by somebody who was not concerned."""

    disclosure_id: str
    consult_id: str
    person: str
    sealed: bytes
    broken_at: datetime


async def find(session: Session, consult_id: str) -> ConsultRow | None:
    rows = await session.execute(_FIND, {"consult_id": consult_id})
    return _consult(rows.first())


async def latest(session: Session, child_id: str) -> ConsultRow | None:
    """A child's latest consult."""
    rows = await session.execute(_LATEST, {"child_id": child_id})
    return _consult(rows.first())


async def history(session: Session, consult_id: str) -> list[EntryRow]:
    """A consult's entries in order."""
    rows = await session.execute(_HISTORY, {"consult_id": consult_id})
    return [EntryRow(**{name: getattr(row, name) for name in EntryRow.__slots__}) for row in rows]


async def open_consult(session: Session, row: ConsultRow) -> None:
    await session.execute(insert(consults).values(_values(row)))


async def append(session: Session, row: EntryRow) -> None:
    await session.execute(insert(consult_entries).values(_values(row)))


async def recuse(session: Session, row: RecusalRow) -> None:
    await session.execute(insert(recusals).values(_values(row)))


async def break_glass(session: Session, row: GlassRow) -> None:
    await session.execute(insert(glass_breaks).values(_values(row)))


def _values(row: ConsultRow | EntryRow | RecusalRow | GlassRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in type(row).__slots__}


def _consult(row: Row[Any] | None) -> ConsultRow | None:
    if row is None:
        return None
    return ConsultRow(row.consult_id, row.referral_id, row.child_id, row.ordinal)


_FIND = text(
    """
SELECT consult_id, referral_id, child_id, ordinal FROM intake.consults
WHERE consult_id = CAST(:consult_id AS text)
"""
)

_LATEST = text(
    """
SELECT consult_id, referral_id, child_id, ordinal FROM intake.consults
WHERE child_id = CAST(:child_id AS text) ORDER BY ordinal DESC LIMIT 1
"""
)

_HISTORY = text(
    """
SELECT consult_id, position, step, actor, person, occurred_at, recorded_at, sealed
FROM intake.consult_entries WHERE consult_id = CAST(:consult_id AS text) ORDER BY position
"""
)
