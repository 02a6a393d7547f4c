"""All SQL of the triage queue: every real DCF-737 whose current version nobody has reviewed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, text

from services.intake.hart.models import triage_reviews
from shared.runtime.db import Session

MOST = 200


@dataclass(frozen=True, slots=True)
class ReviewRow:
    review_id: str
    referral_id: str
    version: int
    reviewer: str
    sent_to: list[str]
    reviewed_at: datetime


async def waiting(session: Session) -> list[dict[str, Any]]:
    """The 737s that wait for the Director, oldest first, some at a time: ids, never content."""
    rows = await session.execute(_WAITING, {"most": MOST})
    return [
        {
            "referral_id": row.referral_id,
            "number": row.number,
            "version": row.version,
            "trigger": row.trigger,
            "received_at": row.received_at,
            "reviewed_before": row.reviewed_before,
            "decision": row.decision,
        }
        for row in rows
    ]


async def oldest_waiting(session: Session) -> float:
    """Seconds since the oldest unreviewed version was recorded; 0 when none waits."""
    age = await session.scalar(_OLDEST)
    return float(age or 0.0)


async def reviews(session: Session, referral_id: str) -> list[ReviewRow]:
    """Who reviewed a 737 and where it was sent, in order."""
    rows = await session.execute(_REVIEWS, {"referral_id": referral_id})
    return [ReviewRow(**{name: getattr(row, name) for name in ReviewRow.__slots__}) for row in rows]


async def state(session: Session, referral_id: str, reviewer: str) -> tuple[int, set[int]] | None:
    """A 737's current version, and the versions of it that a person has read for triage."""
    rows = list(await session.execute(_STATE, {"referral_id": referral_id, "actor": reviewer}))
    if not rows:
        return None
    return rows[0].version, {row.read for row in rows if row.read is not None}


async def insert_review(session: Session, row: ReviewRow) -> None:
    values = {name: getattr(row, name) for name in ReviewRow.__slots__}
    await session.execute(insert(triage_reviews).values(values))


_UNREVIEWED = """
FROM intake.referrals AS r
JOIN intake.referral_versions AS v ON v.referral_id = r.referral_id AND v.version = r.version
WHERE NOT r.synthetic AND NOT EXISTS (
    SELECT FROM intake.triage_reviews AS t
    WHERE t.referral_id = r.referral_id AND t.version = r.version
)
"""

_WAITING = text(
    f"""
SELECT r.referral_id, r.number, r.version, v.trigger, v.received_at, EXISTS (
    SELECT FROM intake.triage_reviews AS t WHERE t.referral_id = r.referral_id
) AS reviewed_before, (
    SELECT d.outcome FROM intake.decisions AS d
    WHERE d.referral_id = r.referral_id ORDER BY d.decision DESC LIMIT 1
) AS decision
{_UNREVIEWED}
ORDER BY v.received_at, r.referral_id LIMIT :most
"""
)

_OLDEST = text(f"SELECT extract(epoch FROM clock_timestamp() - min(v.recorded_at)) {_UNREVIEWED}")

_REVIEWS = text(
    """
SELECT review_id, referral_id, version, reviewer, sent_to, reviewed_at
FROM intake.triage_reviews WHERE referral_id = CAST(:referral_id AS text)
ORDER BY reviewed_at, review_id
"""
)

_STATE = text(
    """
SELECT r.version, w.version AS read
FROM intake.referrals AS r
LEFT JOIN intake.views AS w ON w.referral_id = r.referral_id
    AND w.actor = CAST(:actor AS text) AND w.actor_kind = 'person'
    AND 'hart' = ANY(w.profiles)
WHERE r.referral_id = CAST(:referral_id AS text)
"""
)
