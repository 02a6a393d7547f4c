"""All SQL of holds: notices that were due and are not sent for now. Nothing here commits."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from services.notify import models
from services.notify.controls import tables
from services.notify.delivery.retry import TRIP_AFTER
from services.notify.directory import tables as directory_tables
from shared.runtime.db import Session

MOST = 500
PATIENCE = timedelta(seconds=60)
"""How long a tripped breaker may hold a notice back before it is told of."""

_HALTS, _HOLDS = tables.halts.fullname, tables.holds.fullname
_DELIVERIES, _AGENCIES = models.deliveries.fullname, directory_tables.agencies.fullname

_CAUSE = (
    f"coalesce((SELECT min(h.cause) FROM {_HALTS} h WHERE h.lifted_at IS NULL "
    "AND (h.agency_id IS NULL OR h.agency_id = a.agency_id)), 'breaker')"
)
# Per agency that is held, the lanes' own indexes: what is not held costs nothing.
_LANE = (
    f"SELECT d.notice_id FROM {_DELIVERIES} d WHERE d.agency_id = a.agency_id "
    "AND d.state = 'pending' AND d.attempts {lane} "
    "AND d.next_attempt_at <= CASE WHEN a.halted THEN CAST(:now AS timestamptz) ELSE :earlier END "
    f"AND NOT EXISTS (SELECT FROM {_HOLDS} k WHERE k.notice_id = d.notice_id) "
    "LIMIT :most"
)
_HELD = (
    f"FROM {_AGENCIES} a CROSS JOIN LATERAL (({_LANE.format(lane='= 0')}) UNION ALL "
    f"({_LANE.format(lane='> 0')})) AS due "
    "WHERE a.halted OR (a.consecutive_failures >= :trip AND a.hold_until > :now)"
)
_TAKE = text(
    f"WITH held AS (INSERT INTO {_HOLDS} (notice_id, cause, held_at) "
    f"SELECT due.notice_id, {_CAUSE}, :now {_HELD} LIMIT :most "
    "ON CONFLICT DO NOTHING RETURNING notice_id) "
    f"SELECT n.notice_id, n.referral_id, n.child_id, n.agency_id, n.role, n.version, n.kind "
    f"FROM {models.notices.fullname} n JOIN held USING (notice_id) ORDER BY n.notice_id"
)
OLDEST = (
    f"SELECT 'held', min(h.held_at) FROM {_HOLDS} h "
    f"JOIN {_DELIVERIES} d USING (notice_id) WHERE d.state = 'pending' "
    # Where nothing was ever held, nothing that waits is looked at.
    f"AND EXISTS (SELECT FROM {_HOLDS})"
)
"""When the first was held of the notices that still wait for it to end."""


async def take(session: Session, now: datetime) -> Sequence[Any]:
    """Notices held now that nobody has been told of, each once and for good."""
    return await session.execute(
        _TAKE, {"now": now, "earlier": now - PATIENCE, "trip": TRIP_AFTER, "most": MOST}
    )
