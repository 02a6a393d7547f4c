"""Three counts that differ: what was reported, what was kept, and of how many children (C10)."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from shared.runtime.db import Session


@dataclass(frozen=True, slots=True)
class Counts:
    """Three counts that differ (C10): what was reported, what was kept as a referral, and how
    many children it is about."""

    reports: int
    referrals: int
    children: int


async def count(session: Session, since: datetime, until: datetime) -> Counts:
    """What was received from `since` to before `until`.

    Tests never count, nor what was entered in error. A call that became no referral is a report,
    unless a person has said that it was none.
    """
    rows = await session.execute(_COUNT, {"since": since, "until": until})
    row = rows.one()
    return Counts(row.reports, row.referrals, row.children)


_COUNT = text(
    """
WITH kept AS MATERIALIZED (
    SELECT v.child_ids FROM intake.referrals AS r
    JOIN intake.referral_versions AS v
        ON v.referral_id = r.referral_id AND v.version = r.version
    LEFT JOIN intake.withdrawals AS w ON w.referral_id = r.referral_id
    WHERE NOT r.synthetic AND v.received_at >= :since AND v.received_at < :until
        AND w.cause IS DISTINCT FROM 'entered_in_error'
), unfinished AS (
    SELECT count(*) AS calls FROM intake.calls
    WHERE NOT synthetic AND received_at >= :since AND received_at < :until
        AND finished_at IS NULL
        AND (closed_why IS NULL OR closed_why NOT IN ('not_a_report', 'entered_in_error'))
), together AS (
    SELECT count(*) AS referrals FROM kept
), counted AS (
    SELECT count(DISTINCT coalesce(p.person_id, child.child_id)) AS children
    FROM kept CROSS JOIN unnest(kept.child_ids) AS child(child_id)
    LEFT JOIN intake.people AS p ON p.child_id = child.child_id
)
SELECT referrals + calls AS reports, referrals, children FROM together, unfinished, counted
"""
)
