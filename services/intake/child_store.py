"""The SQL of one child of a referral: its key, to seal what is recorded of it, and its lock."""

from dataclasses import dataclass

from sqlalchemy import text

from shared.runtime.db import Session
from shared.runtime.sealing import WrappedKey


@dataclass(frozen=True, slots=True)
class ChildRow:
    """A child of a referral as it lies in the table."""

    referral_id: str
    child_id: str
    version: int
    """The referral's current version."""
    key: WrappedKey


async def hold(session: Session, referral_id: str, child_id: str) -> ChildRow | None:
    """Let nobody else take a step about this child until this transaction ends."""
    rows = await session.execute(_HOLD, {"referral_id": referral_id, "child_id": child_id})
    row = rows.first()
    if row is None:
        return None
    key = WrappedKey(row.kek_version, row.wrapped, row.key_version)
    return ChildRow(referral_id, child_id, row.version, key)


async def first_child(session: Session, referral_id: str) -> str | None:
    """The id of the child named first in a referral, of those whose content there still is; None if
    there is no such referral or nothing left of it."""
    child_id: str | None = await session.scalar(_FIRST, {"referral_id": referral_id})
    return child_id


_HOLD = text(
    """
SELECT r.version, k.kek_version, k.wrapped, k.key_version
FROM intake.child_keys AS k JOIN intake.referrals AS r USING (referral_id)
WHERE k.child_id = CAST(:child_id AS text) AND k.referral_id = CAST(:referral_id AS text)
FOR NO KEY UPDATE OF k
"""
)

_FIRST = text(
    """
SELECT child.child_id FROM intake.referral_versions AS v
CROSS JOIN unnest(v.child_ids) WITH ORDINALITY AS child(child_id, position)
JOIN intake.child_keys AS k USING (child_id)
WHERE v.referral_id = CAST(:referral_id AS text) AND v.version = 1 AND k.wrapped <> ''
ORDER BY child.position LIMIT 1
"""
)
