"""All SQL of calls. Runs in the caller's session and never commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text

from services.intake.calls.drafts import Call
from services.intake.calls.models import OPEN
from shared.runtime.db import Session
from shared.runtime.sealing import WrappedKey


@dataclass(frozen=True, slots=True)
class Kept:
    """A call with what was typed, as it lies in the table; shredded once it is a referral."""

    call: Call
    key: WrappedKey | None
    sealed: bytes | None


@dataclass(frozen=True, slots=True)
class CallView:
    """A read of what was typed, recorded before it is answered (P2)."""

    disclosure_id: str
    call_id: str
    version: int
    actor: str
    authority: str
    purpose: str
    fields: Sequence[str]
    commitment: str
    viewed_at: datetime


async def open_call(session: Session, call: Call, key: WrappedKey) -> None:
    await session.execute(
        _OPEN_CALL,
        {
            "call_id": call.call_id,
            "owner": call.owner,
            "received_at": call.received_at,
            "recorded_at": call.recorded_at,
            "synthetic": call.synthetic,
            "kek_version": key.kek_version,
            "wrapped": key.wrapped,
            "key_version": key.version,
        },
    )


async def read(session: Session, call_id: str, *, lock: bool = False) -> Kept | None:
    """`lock`: nobody else changes it until this transaction ends."""
    rows = await session.execute(_READ_LOCKED if lock else _READ, {"call_id": call_id})
    row = rows.first()
    return None if row is None else _kept(row)


async def save(session: Session, call_id: str, version: int, sealed: bytes, now: datetime) -> None:
    """Replace what was typed, in a call that this session has locked."""
    values = {"call_id": call_id, "version": version, "sealed": sealed, "now": now}
    await session.execute(_SAVE, values)


async def finish(
    session: Session, call_id: str, version: int, referral_id: str, now: datetime
) -> bool:
    """The call is this referral, and what was typed is shredded; False if it has moved on."""
    found = await session.scalar(
        _FINISH,
        {"call_id": call_id, "version": version, "referral_id": referral_id, "now": now},
    )
    return found is not None


async def close(session: Session, call_id: str, by: str, why: str, now: datetime) -> None:
    await session.execute(_CLOSE, {"call_id": call_id, "by": by, "why": why, "now": now})


async def referral_exists(session: Session, referral_id: str) -> bool:
    return bool(await session.scalar(_REFERRAL_EXISTS, {"referral_id": referral_id}))


async def belongs_to(session: Session, call_id: str, referral_id: str) -> None:
    """What was said in a closed call is in this referral: what was typed is shredded."""
    await session.execute(_BELONGS, {"call_id": call_id, "referral_id": referral_id})


async def abandon(session: Session, before: datetime, now: datetime, limit: int) -> Sequence[Call]:
    """Mark open calls that were last saved before `before`; each call is marked once.

    What another sweeper, or a caller who is saving, holds is left alone.
    """
    rows = await session.execute(_ABANDON, {"before": before, "now": now, "limit": limit})
    return [_call(row) for row in rows]


async def insert_view(session: Session, view: CallView) -> bool:
    """Record a read; False if this very read is recorded already."""
    values = {name: getattr(view, name) for name in CallView.__slots__}
    found = await session.scalar(_VIEW, values | {"fields": list(view.fields)})
    return found is not None


async def ages(session: Session) -> dict[str, float]:
    """Seconds since the quietest open call was saved, and since the oldest was abandoned."""
    rows = await session.execute(_AGES)
    return {row.what: float(row.age) for row in rows}


def _kept(row: Row[Any]) -> Kept:
    key = None
    if row.wrapped is not None:
        key = WrappedKey(row.kek_version, row.wrapped, row.key_version)
    return Kept(_call(row), key, row.sealed)


def _call(row: Row[Any]) -> Call:
    return Call(**{name: getattr(row, name) for name in Call.__slots__})


_CALL = """call_id, owner, version, received_at, recorded_at, saved_at, synthetic, abandoned_at,
    finished_at, referral_id, closed_at"""

_OPEN_CALL = text(
    """
INSERT INTO intake.calls (call_id, owner, version, received_at, recorded_at, saved_at, synthetic,
    kek_version, wrapped, key_version)
VALUES (:call_id, :owner, 0, :received_at, :recorded_at, :recorded_at, :synthetic,
    :kek_version, :wrapped, :key_version)
"""
)

_SELECT = f"""
SELECT {_CALL}, kek_version, wrapped, key_version, sealed
FROM intake.calls WHERE call_id = :call_id
"""
_READ = text(_SELECT)
_READ_LOCKED = text(f"{_SELECT} FOR UPDATE")

_SAVE = text(
    """
UPDATE intake.calls SET version = :version, sealed = :sealed, saved_at = :now
WHERE call_id = :call_id
"""
)

_FINISH = text(
    f"""
UPDATE intake.calls SET referral_id = :referral_id, finished_at = :now,
    sealed = NULL, wrapped = NULL, kek_version = NULL, key_version = NULL
WHERE call_id = :call_id AND version = :version AND {OPEN}
RETURNING call_id
"""
)

_CLOSE = text(
    """
UPDATE intake.calls SET closed_at = :now, closed_by = :by, closed_why = :why
WHERE call_id = :call_id
"""
)

_REFERRAL_EXISTS = text(
    "SELECT EXISTS (SELECT FROM intake.referrals WHERE referral_id = CAST(:referral_id AS text))"
)

_BELONGS = text(
    """
UPDATE intake.calls SET referral_id = :referral_id,
    sealed = NULL, wrapped = NULL, kek_version = NULL, key_version = NULL
WHERE call_id = :call_id
"""
)

_ABANDON = text(
    f"""
UPDATE intake.calls SET abandoned_at = :now
WHERE call_id IN (
    SELECT call_id FROM intake.calls
    WHERE {OPEN} AND abandoned_at IS NULL AND saved_at <= :before
    ORDER BY saved_at LIMIT :limit
    FOR UPDATE SKIP LOCKED
)
RETURNING {_CALL}
"""
)

_VIEW = text(
    """
INSERT INTO intake.call_views (disclosure_id, call_id, version, actor, authority, purpose, fields,
    commitment, viewed_at)
VALUES (:disclosure_id, :call_id, :version, :actor, :authority, :purpose,
    CAST(:fields AS text[]), :commitment, :viewed_at)
ON CONFLICT DO NOTHING
RETURNING disclosure_id
"""
)

_AGES = text(
    f"""
SELECT what, greatest(0, coalesce(extract(epoch FROM clock_timestamp() - since), 0)) AS age
FROM (
    SELECT 'call', min(saved_at) FROM intake.calls WHERE {OPEN} AND abandoned_at IS NULL
    UNION ALL
    SELECT 'call_abandoned', min(abandoned_at) FROM intake.calls
    WHERE {OPEN} AND abandoned_at IS NOT NULL
) AS oldest(what, since)
"""
)
