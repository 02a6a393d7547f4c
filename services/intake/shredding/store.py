"""The SQL of destroyed keys. Runs in the caller's session and never commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from services.intake.hart import case_store
from shared.runtime.db import Session


@dataclass(frozen=True, slots=True)
class Subjects:
    """Every id under which the record may speak of one person."""

    referral_id: str
    """Of the child that was asked about."""
    child_ids: Sequence[str]
    """Of all referrals that a person confirmed to be about the same child; itself first."""
    call_ids: Sequence[str]
    """Calls that became those referrals."""
    record_ids: Sequence[str]
    """Case flags that those referrals answer."""
    shredded: Sequence[str]
    """Those of `child_ids` whose content is destroyed."""


async def subjects(session: Session, child_id: str) -> Subjects | None:
    """None: there is no such child."""
    row = (await session.execute(_SUBJECTS, {"child_id": child_id})).first()
    if row is None:
        return None
    others = sorted(each for each in row.child_ids if each != child_id)
    return Subjects(
        row.referral_id, [child_id, *others], row.call_ids, row.record_ids, row.shredded
    )


async def hold(session: Session, child_id: str) -> str | None:
    """Let nobody add a version of the child's referral until this transaction ends; its id."""
    referral_id: str | None = await session.scalar(_HOLD, {"child_id": child_id})
    return referral_id


async def destroy(session: Session, child_id: str, shredding_id: str, now: datetime) -> bool:
    """Destroy the child's key, and what finds it by name. False: it was destroyed before.

    With the last child of a referral go the keys of case flags that it answered.
    """
    values = {"child_id": child_id, "shredding_id": shredding_id, "now": now}
    referral_id = await session.scalar(_DESTROY, values)
    if referral_id is None:
        return False
    await session.execute(_FORGET_NAMES, {"child_id": child_id})
    await session.execute(_FORGET_CANDIDATES, {"child_id": child_id})
    await case_store.forget(session, [referral_id])
    return True


_SUBJECTS = text(
    """
WITH same AS (
    SELECT k.child_id, k.referral_id, k.wrapped = '' AS gone FROM intake.child_keys AS k
    WHERE k.child_id = CAST(:child_id AS text)
    UNION
    SELECT k.child_id, k.referral_id, k.wrapped = '' FROM intake.people AS one
    JOIN intake.people AS other ON other.person_id = one.person_id
    JOIN intake.child_keys AS k ON k.child_id = other.child_id
    WHERE one.child_id = CAST(:child_id AS text)
)
SELECT (SELECT referral_id FROM same WHERE child_id = CAST(:child_id AS text)) AS referral_id,
    ARRAY(SELECT child_id FROM same) AS child_ids,
    ARRAY(SELECT c.call_id FROM intake.calls AS c
        WHERE c.referral_id IN (SELECT referral_id FROM same) ORDER BY c.call_id) AS call_ids,
    ARRAY(SELECT l.flag_id FROM intake.case_flag_links AS l
        WHERE l.referral_id IN (SELECT referral_id FROM same) ORDER BY l.flag_id) AS record_ids,
    ARRAY(SELECT child_id FROM same WHERE gone ORDER BY child_id) AS shredded
FROM same LIMIT 1
"""
)

_HOLD = text(
    """
SELECT r.referral_id FROM intake.referrals AS r
JOIN intake.child_keys AS k ON k.referral_id = r.referral_id
WHERE k.child_id = CAST(:child_id AS text) FOR UPDATE OF r
"""
)

_DESTROY = text(
    """
UPDATE intake.child_keys SET wrapped = '', kek_version = 0,
    shredding_id = CAST(:shredding_id AS text), shredded_at = CAST(:now AS timestamptz)
WHERE child_id = CAST(:child_id AS text) AND wrapped <> '' RETURNING referral_id
"""
)

_FORGET_NAMES = text("DELETE FROM intake.blind_index WHERE child_id = CAST(:child_id AS text)")

_FORGET_CANDIDATES = text(
    """
DELETE FROM intake.candidates WHERE answered_at IS NULL
    AND (child_id = CAST(:child_id AS text) OR other_child_id = CAST(:child_id AS text))
"""
)
