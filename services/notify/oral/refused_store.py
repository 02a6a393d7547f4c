"""All SQL of whom somebody told by telephone may stand in for. Nothing here commits."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text

from services.notify import models
from services.notify.conflicts import tables as conflict_tables
from services.notify.oral.entry_store import Leg
from services.notify.planning.occasion import CONFLICT_OF_INTEREST
from services.notify.planning.plan import NO_DUTY
from services.notify.stages import tables as stage_tables
from shared.runtime.db import Session

_NOTICES = models.notices.fullname
_PLANS = models.plans.fullname
_NO_DUTY = ", ".join(f"'{kind.value}'" for kind in sorted(NO_DUTY))
_LEG = "notice_id, referral_id, child_id, agency_id, role, version, kind, series"

# Who has a conflict of interest is stood in for already, and by a plan of that.
_REFUSED = text(
    "SELECT r.notice_id, r.referral_id, r.child_id, r.agency_id, r.role, r.version, "
    "h.referral_number, h.trigger, h.received_at, h.synthetic FROM ("
    f"SELECT {_LEG} FROM {models.refusals.fullname} WHERE agency_id IS NOT NULL "
    f"AND reason <> '{CONFLICT_OF_INTEREST}' UNION ALL "
    f"SELECT {', '.join(f'n.{name}' for name in _LEG.split(', '))} FROM {_NOTICES} n "
    f"JOIN {models.deliveries.fullname} d USING (notice_id) WHERE d.state = 'refused') r "
    "CROSS JOIN LATERAL (SELECT referral_number, trigger, received_at, synthetic "
    f"FROM {_NOTICES} n WHERE n.referral_id = r.referral_id AND n.version = r.version "
    "LIMIT 1) h WHERE r.referral_id = :referral_id AND r.child_id = :child_id "
    f"AND r.series = 'received' AND r.kind NOT IN ({_NO_DUTY}) "
    f"AND r.version = (SELECT max(version) FROM {_PLANS} p WHERE p.referral_id = r.referral_id) "
    f"AND NOT EXISTS (SELECT FROM {stage_tables.withdrawals.fullname} w "
    "WHERE w.referral_id = r.referral_id) "
    f"AND NOT EXISTS (SELECT FROM {conflict_tables.conflicts.fullname} k "
    "WHERE k.referral_id = r.referral_id AND k.agency_id = r.agency_id AND k.lifted_at IS NULL) "
    "ORDER BY r.notice_id"
)


async def refused(session: Session, leg: Leg) -> Sequence[Any]:
    """Recipients of the child that the newest version's plan, or a claim of it, refused."""
    values = {"referral_id": leg.referral_id, "child_id": leg.child_id}
    return (await session.execute(_REFUSED, values)).all()
