"""All SQL of what the API shows of a referral's legs. Nothing here commits."""

from sqlalchemy import text

from services.notify import models
from services.notify.conflicts import tables as conflict_tables
from services.notify.conflicts.barred import bars
from services.notify.controls import tables as control_tables
from services.notify.delivery.answers import last_answer
from services.notify.delivery.held import with_content
from services.notify.delivery.retry import TRIP_AFTER
from services.notify.directory import tables as directory_tables
from services.notify.legs import LegStatus
from services.notify.recalls import tables as recall_tables
from services.notify.stages import tables as stage_tables
from shared.runtime.db import Session

_NOTICES = models.notices.fullname
_DELIVERIES = models.deliveries.fullname
_CONFLICTS = conflict_tables.conflicts.fullname

MAY_HOLD = (
    f"EXISTS (SELECT FROM {models.disclosures.fullname} s WHERE s.notice_id = n.notice_id "
    f"AND {with_content('s')} AND NOT EXISTS (SELECT FROM {models.disclosure_outcomes.fullname} o "
    "WHERE o.disclosure_id = s.disclosure_id AND o.outcome = 'failed')) "
    f"OR EXISTS (SELECT FROM {models.disclosures.fullname} s "
    f"JOIN {models.disclosure_outcomes.fullname} o USING (disclosure_id) "
    f"WHERE s.notice_id = n.notice_id AND {with_content('s')} AND o.outcome <> 'failed')"
)
_BARRING = (
    f"FROM {_CONFLICTS} k WHERE ({bars('k', 'n')}) "
    "OR (k.referral_id = n.relates_to AND k.agency_id = n.agency_id AND k.lifted_at IS NULL)"
)
IN_CONFLICT = f"EXISTS (SELECT {_BARRING})"
_ROLES = (
    f"ARRAY(SELECT role FROM {conflict_tables.stand_ins.fullname} i "
    "WHERE i.notice_id = n.notice_id ORDER BY role)"
)
_HELD = (
    "(a.halted OR (a.consecutive_failures >= :trip AND a.hold_until > clock_timestamp())) AS held"
)
_SINCE = (
    "d.opened_at, d.acknowledged_at, "
    f"EXISTS (SELECT FROM {models.disclosures.fullname} s WHERE s.notice_id = n.notice_id "
    f"AND s.channel = 'oral') AS told_orally, d.unread_since IS NOT NULL AS unread, {_HELD}, "
    f"EXISTS (SELECT FROM {recall_tables.recalls.fullname} r WHERE r.notice_id = n.notice_id) "
    f"AS recalled, EXISTS (SELECT FROM {_CONFLICTS} k WHERE k.referral_id = n.referral_id "
    "AND k.agency_id = n.agency_id AND (k.child_id IS NULL OR k.child_id = n.child_id) "
    "AND d.state = 'refused' AND d.ended_at BETWEEN k.asserted_at AND k.lifted_at) "
    f"AS conflict_lifted, (SELECT c.reason FROM {recall_tables.closings.fullname} c "
    "WHERE c.notice_id = n.notice_id) AS closed_because, "
    "CASE WHEN d.state = 'pending' AND NOT a.halted "
    "THEN greatest(d.next_attempt_at, a.hold_until) END AS next_attempt_at, "
    f"ARRAY(SELECT h.halt_id FROM {control_tables.halts.fullname} h WHERE h.lifted_at IS NULL "
    "AND a.halted AND d.state IN ('pending', 'blocked') "
    "AND (h.agency_id IS NULL OR h.agency_id = a.agency_id) ORDER BY h.set_at) AS held_by, "
    f"ARRAY(SELECT DISTINCT k.ground {_BARRING} ORDER BY k.ground) AS barred_for, "
    f"(SELECT l.answer FROM ({last_answer('n.notice_id')}) AS l) AS last_answer"
)
_LEGS = text(
    "SELECT n.notice_id, n.child_id, n.agency_id, n.role, a.name AS recipient, n.because, "
    "n.version, n.kind, d.state, NULL AS reason, d.attempts, n.planned_at, d.delivered_at, "
    "n.authority, n.rule, n.rules_version, n.directory_version, n.profile, n.fields, "
    f"{_ROLES} AS also, {MAY_HOLD} AS may_hold, {IN_CONFLICT} AS in_conflict, {_SINCE} "
    f"FROM {_NOTICES} n JOIN {_DELIVERIES} d USING (notice_id) "
    f"JOIN {directory_tables.agencies.fullname} a ON a.agency_id = n.agency_id "
    "WHERE n.referral_id = :referral_id "
    "AND (CAST(:agency_id AS text) IS NULL OR n.agency_id = :agency_id) "
    "UNION ALL "
    "SELECT r.notice_id, r.child_id, r.agency_id, r.role, a.name, r.because, r.version, r.kind, "
    "'refused', r.reason, 0, r.refused_at, NULL, NULL, r.rule, "
    "coalesce(s.rules_version, p.rules_version), "
    "coalesce(s.directory_version, p.directory_version), NULL, '{}', '{}', false, false, "
    "NULL, NULL, false, false, false, false, false, NULL, NULL, '{}', '{}', NULL "
    f"FROM {models.refusals.fullname} r "
    f"JOIN {models.plans.fullname} p USING (referral_id, version) "
    f"LEFT JOIN {stage_tables.staged_plans.fullname} s ON s.referral_id = r.referral_id "
    "AND s.series = r.series AND s.version = r.version AND s.revision = r.revision "
    f"LEFT JOIN {directory_tables.agencies.fullname} a ON a.agency_id = r.agency_id "
    "WHERE r.referral_id = :referral_id AND CAST(:agency_id AS text) IS NULL "
    "ORDER BY version, child_id, role, notice_id"
)


async def legs_of(session: Session, referral_id: str, agency_id: str | None) -> list[LegStatus]:
    """Every leg, refused ones too, oldest version first; of one agency only, if one is named."""
    values = {"referral_id": referral_id, "agency_id": agency_id, "trip": TRIP_AFTER}
    rows = await session.execute(_LEGS, values)
    return [LegStatus(**dict(row)) for row in rows]
