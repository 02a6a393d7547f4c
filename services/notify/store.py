"""All SQL of planning, and of what the API shows. Nothing here commits."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notify import models
from services.notify.drafting import Occasion, PlanRows
from services.notify.planning import DeliveryState, Earlier, Plan
from shared.contracts.base import Topic
from shared.contracts.codes import NoticeKind, Role
from shared.runtime.sealing import WrappedKey

_NOTICES = models.notices.fullname
_DELIVERIES = models.deliveries.fullname


async def take_plan(session: AsyncSession, occasion: Occasion) -> bool:
    """Record that this version is planned. False: it, or a later one, has been planned before."""
    plans = models.plans.fullname
    taken = await session.execute(
        text(
            f"INSERT INTO {plans} "
            "(referral_id, version, rules_version, directory_version, planned_at) "
            "SELECT :referral_id, :version, :rules, :directory, :now WHERE NOT EXISTS "
            f"(SELECT FROM {plans} WHERE referral_id = :referral_id AND version > :version) "
            "ON CONFLICT DO NOTHING RETURNING 1"
        ),
        {
            "referral_id": occasion.referral_id,
            "version": occasion.version,
            "rules": occasion.rules_version,
            "directory": occasion.directory_version,
            "now": occasion.now,
        },
    )
    return taken.first() is not None


async def lock_history(session: AsyncSession, referral_id: str) -> list[Earlier]:
    """Every notice of the referral so far, its delivery locked until the transaction ends.

    1. Lock: no claim begins and no attempt ends from here on.
    2. Read, in a statement of its own, so that it sees what was committed while it waited.
    """
    await session.execute(
        text(
            f"SELECT FROM {_DELIVERIES} WHERE referral_id = :referral_id "
            "ORDER BY notice_id FOR UPDATE"
        ),
        {"referral_id": referral_id},
    )
    rows = await session.execute(
        text(
            "SELECT n.notice_id, n.child_id, n.agency_id, n.role, n.version, n.kind, d.state, "
            f"EXISTS (SELECT FROM {models.disclosures.fullname} a WHERE a.notice_id = n.notice_id "
            "AND (SELECT count(*) FILTER (WHERE o.outcome = 'failed') = 0 "
            "OR count(*) FILTER (WHERE o.outcome <> 'failed') > 0 "
            f"FROM {models.disclosure_outcomes.fullname} o "
            "WHERE o.disclosure_id = a.disclosure_id)) AS may_hold "
            f"FROM {_NOTICES} n JOIN {_DELIVERIES} d USING (notice_id) "
            "WHERE n.referral_id = :referral_id"
        ),
        {"referral_id": referral_id},
    )
    return [
        Earlier(
            notice_id=row.notice_id,
            child_id=row.child_id,
            agency_id=row.agency_id,
            role=Role(row.role),
            version=row.version,
            kind=NoticeKind(row.kind),
            state=DeliveryState(row.state),
            may_hold=row.may_hold,
        )
        for row in rows
    ]


async def child_keys(session: AsyncSession, child_ids: Iterable[str]) -> dict[str, WrappedKey]:
    """The data keys that these children already have."""
    rows = await session.execute(
        text(
            f"SELECT child_id, kek_version, wrapped FROM {models.child_keys.fullname} "
            "WHERE child_id = ANY(:child_ids)"
        ),
        {"child_ids": sorted(child_ids)},
    )
    return {row.child_id: WrappedKey(row.kek_version, row.wrapped) for row in rows}


async def insert_plan(session: AsyncSession, rows: PlanRows) -> None:
    """One statement per table that gains anything, whatever the number of recipients."""
    for table, added in (
        (models.child_keys, rows.child_keys),
        (models.copies, rows.copies),
        (models.notices, rows.notices),
        (models.deliveries, rows.deliveries),
        (models.refusals, rows.refusals),
    ):
        if added:
            await session.execute(insert(table), list(added))


async def supersede(session: AsyncSession, plan: Plan, occasion: Occasion) -> None:
    """End what waits; let what is in flight end without another try. Rows are locked already."""
    if not plan.ended and not plan.last_tries:
        return
    await session.execute(
        text(
            f"UPDATE {_DELIVERIES} SET superseded_by = :version, "
            "state = CASE WHEN notice_id = ANY(:ended) THEN :superseded ELSE state END, "
            "next_attempt_at = CASE WHEN notice_id = ANY(:ended) THEN NULL "
            "ELSE next_attempt_at END, "
            "ended_at = CASE WHEN notice_id = ANY(:ended) THEN CAST(:now AS timestamptz) "
            "ELSE ended_at END "
            "WHERE notice_id = ANY(:ended) OR notice_id = ANY(:last_tries)"
        ),
        {
            "version": occasion.version,
            "now": occasion.now,
            "superseded": DeliveryState.SUPERSEDED.value,
            "ended": [each.notice_id for each in plan.ended],
            "last_tries": [each.notice_id for each in plan.last_tries],
        },
    )


@dataclass(frozen=True, slots=True)
class NoticeStatus:
    """One leg of a referral as the API shows it."""

    notice_id: str
    child_id: str
    role: str
    recipient: str | None
    because: str
    version: int
    kind: str
    state: str
    reason: str | None
    attempts: int
    planned_at: datetime
    delivered_at: datetime | None


async def referral_notices(
    session: AsyncSession, referral_id: str, agency_id: str | None
) -> list[NoticeStatus]:
    """Every leg, refused ones too, oldest version first; of one agency only, if one is named."""
    rows = await session.execute(
        text(
            "SELECT n.notice_id, n.child_id, n.role, a.name AS recipient, n.because, n.version, "
            "n.kind, d.state, NULL AS reason, d.attempts, n.planned_at, d.delivered_at "
            f"FROM {_NOTICES} n JOIN {_DELIVERIES} d USING (notice_id) "
            f"JOIN {models.agencies.fullname} a ON a.agency_id = n.agency_id "
            "WHERE n.referral_id = :referral_id "
            "AND (CAST(:agency_id AS text) IS NULL OR n.agency_id = :agency_id) "
            "UNION ALL "
            "SELECT r.notice_id, r.child_id, r.role, a.name, r.because, r.version, r.kind, "
            "'refused', r.reason, 0, r.refused_at, NULL "
            f"FROM {models.refusals.fullname} r "
            f"LEFT JOIN {models.agencies.fullname} a ON a.agency_id = r.agency_id "
            "WHERE r.referral_id = :referral_id AND CAST(:agency_id AS text) IS NULL "
            "ORDER BY version, child_id, role, notice_id"
        ),
        {"referral_id": referral_id, "agency_id": agency_id},
    )
    return [NoticeStatus(**row._mapping) for row in rows]


async def oldest_unrelayed(session: AsyncSession) -> datetime | None:
    """When the oldest event on topic notices was written that the bus has not acknowledged."""
    oldest: datetime | None = await session.scalar(
        text(
            f"SELECT min(created_at) FROM {models.OUTBOX.outbox.fullname} "
            "WHERE sent_at IS NULL AND topic = :topic"
        ),
        {"topic": Topic.NOTICES.value},
    )
    return oldest


async def ages(session: AsyncSession) -> dict[str, float]:
    """Seconds that the oldest undelivered notice and the oldest open task have waited; else 0.

    What is blocked is not asked: the attempt it waits for is older.
    """
    rows = await session.execute(
        text(
            "SELECT what, coalesce(extract(epoch FROM clock_timestamp() - since), 0) AS age FROM ("
            f"SELECT 'delivery', min(n.planned_at) FROM {_NOTICES} n "
            f"JOIN {_DELIVERIES} d USING (notice_id) WHERE d.state = 'pending' UNION ALL "
            f"SELECT 'attempt', min(n.planned_at) FROM {_NOTICES} n "
            f"JOIN {_DELIVERIES} d USING (notice_id) WHERE d.state = 'attempting' UNION ALL "
            f"SELECT 'task', min(created_at) FROM {models.tasks.fullname} "
            "WHERE acknowledged_at IS NULL) AS oldest(what, since)"
        )
    )
    return {row.what: max(0.0, float(row.age)) for row in rows}
