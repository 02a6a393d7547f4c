"""Inserting what plans add: keys, copies, notices, deliveries, refusals. Nothing here commits."""

from collections.abc import Sequence

from sqlalchemy import text

from services.notify import models
from services.notify.conflicts import tables as conflict_tables
from services.notify.planning.occasion import PlanRows
from shared.runtime.bulk import Bulk
from shared.runtime.db import Session

_PLANNED = Bulk(
    (models.child_keys, ("child_id", "kek_version", "wrapped")),
    (models.copies, ("child_id", "version", "profile", "sealed")),
    (
        models.notices,
        (
            "notice_id",
            "referral_id",
            "referral_number",
            "child_id",
            "agency_id",
            "role",
            "version",
            "kind",
            "supersedes",
            "trigger",
            "profile",
            "fields",
            "commitment",
            "authority",
            "purpose",
            "rule",
            "because",
            "rules_version",
            "directory_version",
            "received_at",
            "planned_at",
            "synthetic",
            "series",
            "revision",
            "form",
            "part",
            "cause",
            "recalls",
            "relates_to",
            "relation",
            "traceparent",
        ),
    ),
    (
        models.deliveries,
        (
            "notice_id",
            "referral_id",
            "child_id",
            "agency_id",
            "version",
            "series",
            "state",
            "next_attempt_at",
            "planned_at",
        ),
    ),
)
_REFUSED = Bulk(
    (
        models.refusals,
        (
            "notice_id",
            "referral_id",
            "child_id",
            "agency_id",
            "role",
            "version",
            "kind",
            "reason",
            "rule",
            "because",
            "refused_at",
            "series",
            "revision",
        ),
    )
)


_STAND_INS = Bulk((conflict_tables.stand_ins, ("notice_id", "role", "planned_at")))
_INSERT_STAND_INS = text(f"{_STAND_INS.statement.text} ON CONFLICT DO NOTHING")


async def insert_plans(session: Session, plans: Sequence[PlanRows]) -> None:
    """One statement for all that is told, one for what is refused, whatever the number of
    referrals."""
    told = _PLANNED.values(
        [row for plan in plans for row in plan.child_keys],
        [row for plan in plans for row in plan.copies],
        [row for plan in plans for row in plan.notices],
        [row for plan in plans for row in plan.deliveries],
    )
    await session.execute(_PLANNED.statement, told)
    refused = [row for plan in plans for row in plan.refusals]
    if refused:
        await session.execute(_REFUSED.statement, _REFUSED.values(refused))
    stand_ins = [row for plan in plans for row in plan.stand_ins]
    if stand_ins:
        await session.execute(_INSERT_STAND_INS, _STAND_INS.values(stand_ins))
