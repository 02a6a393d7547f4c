"""All SQL of lifting recusals. Runs in the caller's session, never commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from services.intake.hart.lifts import Lift
from shared.runtime.db import Session

PROPOSED, CONFIRMED = "proposed", "confirmed"


@dataclass(frozen=True, slots=True)
class Recused:
    """A recusal that nobody else lifts until this transaction ends."""

    referral_id: str
    lift: Lift


async def hold(session: Session, recusal_id: str) -> Recused | None:
    row = (await session.execute(_HOLD, {"recusal_id": recusal_id})).first()
    if row is None:
        return None
    steps = await session.execute(_STEPS, {"recusal_id": recusal_id})
    taken = {each.step: each.recorded_by for each in steps}
    lift = Lift(taken.get(PROPOSED), CONFIRMED in taken)
    return Recused(row.referral_id, lift)


async def append(session: Session, recusal_id: str, step: str, actor: str, now: datetime) -> None:
    values = {"recusal_id": recusal_id, "step": step, "actor": actor, "now": now}
    await session.execute(_APPEND, values)


async def recused(session: Session, referral_id: str, indexes: Sequence[bytes]) -> bool:
    """Whether somebody, by their blind indexes, has a conflict in this referral."""
    values = {"referral_id": referral_id, "indexes": list(indexes)}
    return bool(await session.scalar(_RECUSED, values))


async def barred_from(session: Session, indexes: Sequence[bytes]) -> set[str]:
    """The referrals in which one of these blind indexes has a conflict."""
    rows = await session.execute(_BARRED, {"indexes": list(indexes)})
    return {row.referral_id for row in rows}


# A recusal is not written to, so the lock is one by name.
_HOLD = text(
    """
WITH held AS MATERIALIZED (
    SELECT pg_advisory_xact_lock(
        hashtextextended('intake.recusal ' || CAST(:recusal_id AS text), 0)) AS held
)
SELECT r.referral_id FROM held CROSS JOIN intake.recusals AS r
WHERE r.recusal_id = CAST(:recusal_id AS text)
"""
)

_STEPS = text(
    "SELECT step, recorded_by FROM intake.recusal_lifts "
    "WHERE recusal_id = CAST(:recusal_id AS text)"
)

_APPEND = text(
    """
INSERT INTO intake.recusal_lifts (recusal_id, step, recorded_by, recorded_at)
VALUES (CAST(:recusal_id AS text), CAST(:step AS text), CAST(:actor AS text),
    CAST(:now AS timestamptz))
"""
)

_IN_FORCE = """
NOT EXISTS (SELECT FROM intake.recusal_lifts AS l
    WHERE l.recusal_id = r.recusal_id AND l.step = 'confirmed')
"""

_RECUSED = text(
    f"""
SELECT EXISTS (
    SELECT FROM intake.recusals AS r
    WHERE r.referral_id = CAST(:referral_id AS text)
        AND r.person_index = ANY(CAST(:indexes AS bytea[])) AND {_IN_FORCE}
)
"""
)

_BARRED = text(
    f"SELECT r.referral_id FROM intake.recusals AS r "
    f"WHERE r.person_index = ANY(CAST(:indexes AS bytea[])) AND {_IN_FORCE}"
)
