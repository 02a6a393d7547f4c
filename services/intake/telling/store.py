"""The SQL of what notify is told beside the referral. Never commits."""

from collections.abc import Sequence

from sqlalchemy import text

from services.intake.decisions.codes import Standing
from services.intake.decisions.records import StoredIncident
from services.intake.decisions.rules import Known
from shared.runtime.db import Session
from shared.runtime.sealing import WrappedKey

_AS_OF = text(
    """
SELECT DISTINCT ON (i.incident_id) i.incident_id, i.child_id, i.referral_id, v.version, v.standing,
    d.sealed, k.kek_version, k.wrapped, k.key_version
FROM intake.incidents AS i
JOIN intake.incident_versions AS v ON v.incident_id = i.incident_id
JOIN intake.incident_documents AS d ON d.incident_id = v.incident_id AND d.version = v.version
JOIN intake.child_keys AS k ON k.child_id = i.child_id
WHERE i.referral_id = :referral_id AND v.decision <= CAST(:decision AS integer)
ORDER BY i.incident_id, v.version DESC
"""
)


async def incidents_as_of(
    session: Session, referral_id: str, decision: int
) -> Sequence[StoredIncident]:
    """Each in the last version that follows this decision or one before it."""
    rows = await session.execute(_AS_OF, {"referral_id": referral_id, "decision": decision})
    return [
        StoredIncident(
            Known(row.incident_id, row.child_id, row.version, Standing(row.standing)),
            row.referral_id,
            WrappedKey(row.kek_version, row.wrapped, row.key_version),
            row.sealed,
        )
        for row in rows
    ]
