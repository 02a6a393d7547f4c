"""The SQL of the alarm before majority. Runs in the caller's session and never commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import text

from services.intake.records import StoredChild
from shared.runtime.db import Session
from shared.runtime.sealing import WrappedKey

_LOCK = 0x484C0008


@dataclass(frozen=True, slots=True)
class Unlooked:
    """A child whose document of this version was not looked at this month."""

    referral_id: str
    version: int
    child: StoredChild
    sealed: bytes | None
    """What was noted at the last look; null at the first."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at a child came to. `sealed` is to be kept; null when nothing could be opened."""

    announce: bool
    sealed: bytes | None


async def try_alone(session: Session) -> bool:
    """Whether nobody else looks until this transaction ends."""
    return bool(
        await session.scalar(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    )


async def unlooked(session: Session, month: date, limit: int) -> Sequence[Unlooked]:
    """Children of referrals that are neither synthetic nor withdrawn, and whose content is not
    destroyed."""
    rows = await session.execute(_UNLOOKED, {"month": month, "limit": limit})
    return [
        Unlooked(
            row.referral_id,
            row.version,
            StoredChild(
                row.child_id, WrappedKey(row.kek_version, row.wrapped, row.key_version), row.sealed
            ),
            row.noted,
        )
        for row in rows
    ]


async def looked(
    session: Session,
    children: Sequence[Unlooked],
    looks: Sequence[Look],
    month: date,
) -> None:
    """Note that these were looked at, and under their seals what it came to."""
    await session.execute(
        _LOOKED,
        {
            "child_ids": [each.child.child_id for each in children],
            "versions": [each.version for each in children],
            "sealed": [each.sealed for each in looks],
            "month": month,
        },
    )


_UNLOOKED = text(
    """
SELECT r.referral_id, r.version, k.child_id, k.kek_version, k.wrapped, k.key_version, d.sealed,
       l.sealed AS noted
FROM intake.referrals r
JOIN intake.referral_versions v ON v.referral_id = r.referral_id AND v.version = r.version
JOIN intake.child_keys k ON k.referral_id = r.referral_id AND k.child_id = ANY(v.child_ids)
JOIN intake.documents d ON d.child_id = k.child_id AND d.version = r.version
LEFT JOIN intake.majority_looks l ON l.child_id = k.child_id
WHERE NOT r.synthetic AND k.shredded_at IS NULL
AND (l.child_id IS NULL OR l.month < CAST(:month AS date) OR l.version < r.version)
AND NOT EXISTS (SELECT 1 FROM intake.withdrawals w WHERE w.referral_id = r.referral_id)
LIMIT :limit
"""
)

_LOOKED = text(
    """
INSERT INTO intake.majority_looks AS l (child_id, version, month, sealed)
SELECT child_id, version, CAST(:month AS date), sealed
FROM unnest(CAST(:child_ids AS text[]), CAST(:versions AS integer[]), CAST(:sealed AS bytea[]))
     AS c(child_id, version, sealed)
ON CONFLICT (child_id) DO UPDATE SET version = excluded.version, month = excluded.month,
    sealed = coalesce(excluded.sealed, l.sealed)
"""
)
