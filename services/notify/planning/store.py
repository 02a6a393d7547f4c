"""Inserting what plans add: keys, copies, notices, deliveries, refusals. Nothing here commits."""

from collections.abc import Sequence
from datetime import datetime

from services.notify import models
from services.notify.conflicts import tables as conflict_tables
from services.notify.matters import store as matter_store
from services.notify.planning.occasion import PlanRows, Row
from shared.contracts.base import EventData
from shared.messaging.outbox import Outbox
from shared.messaging.telling import further_events
from shared.runtime.bulk import Bulk, Into
from shared.runtime.db import Session

_TOLD = (
    Into(models.child_keys, ("child_id", "kek_version", "wrapped")),
    Into(models.copies, ("child_id", "version", "profile", "sealed")),
    Into(
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
    Into(
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
_PLANNED = Bulk(*_TOLD)
_SAID = Bulk(*_TOLD, matter_store.INTO, beside=further_events(models.OUTBOX))
_REFUSED = Bulk(
    Into(
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
_STAND_INS = Bulk(Into(conflict_tables.stand_ins, ("notice_id", "role", "planned_at"), once=True))


async def insert_plans(session: Session, plans: Sequence[PlanRows]) -> None:
    """One statement for all that is told, one for what is refused, whatever the number of
    referrals."""
    await session.execute(_PLANNED.statement, _PLANNED.values(*_told(plans)))
    await _insert_others(session, plans)


async def insert_and_tell(
    session: Session,
    outbox: Outbox,
    plans: Sequence[PlanRows],
    matters: Sequence[Row],
    events: Sequence[EventData],
    now: datetime,
) -> None:
    """The same, with what is put up or asked, and the events of it all, in the first statement."""
    said = outbox.further(session, now, *events)
    await session.execute(_SAID.statement, _SAID.values(*_told(plans), matters) | said)
    await _insert_others(session, plans)


def _told(plans: Sequence[PlanRows]) -> tuple[list[Row], ...]:
    return (
        [row for plan in plans for row in plan.child_keys],
        [row for plan in plans for row in plan.copies],
        [row for plan in plans for row in plan.notices],
        [row for plan in plans for row in plan.deliveries],
    )


async def _insert_others(session: Session, plans: Sequence[PlanRows]) -> None:
    refused = [row for plan in plans for row in plan.refusals]
    if refused:
        await session.execute(_REFUSED.statement, _REFUSED.values(refused))
    stand_ins = [row for plan in plans for row in plan.stand_ins]
    if stand_ins:
        await session.execute(_STAND_INS.statement, _STAND_INS.values(stand_ins))
