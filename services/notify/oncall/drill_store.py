"""All SQL of synthetic referrals. Nothing here commits."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from services.notify import models
from services.notify.oncall import tables
from shared.runtime.db import Session

PATIENCE = timedelta(minutes=10)
"""A synthetic referral that has not passed by then never counts."""
_KEPT = timedelta(days=7)

_DRILLS, _RECEIPTS = tables.drills.fullname, tables.drill_receipts.fullname

_BEGIN = text(
    f"INSERT INTO {_DRILLS} (slot, begun_at) VALUES (:slot, :now) "
    "ON CONFLICT DO NOTHING RETURNING slot"
)
_ARRIVED = text(
    "SELECT d.slot, d.referral_id, d.begun_at, "
    "array(SELECT s.disclosure_id FROM notify.disclosures s JOIN notify.notices n "
    "USING (notice_id) WHERE n.referral_id = d.referral_id) AS disclosures "
    f"FROM {_DRILLS} d WHERE d.passed_at IS NULL AND d.referral_id IS NOT NULL "
    "AND d.begun_at > :since "
    f"AND EXISTS (SELECT FROM {models.plans.fullname} p WHERE p.referral_id = d.referral_id) "
    f"AND EXISTS (SELECT FROM {models.notices.fullname} n WHERE n.referral_id = d.referral_id) "
    f"AND NOT EXISTS (SELECT FROM {models.deliveries.fullname} l "
    f"LEFT JOIN {_RECEIPTS} r USING (notice_id) WHERE l.referral_id = d.referral_id "
    "AND (l.state <> 'delivered' OR (CAST(:own AS boolean) "
    "AND (r.notice_id IS NULL OR l.acknowledged_at IS NULL)))) "
    "ORDER BY d.slot"
)

_UNANSWERED = text(
    f"SELECT n.notice_id, n.agency_id FROM {_RECEIPTS} r JOIN {models.notices.fullname} n "
    f"USING (notice_id) JOIN {models.deliveries.fullname} l USING (notice_id) "
    "WHERE r.received_at > :since AND n.synthetic AND l.acknowledged_at IS NULL "
    "ORDER BY n.notice_id"
)


async def begin(session: Session, slot: int, now: datetime) -> bool:
    """Whether that minute's is ours to send; old ones are forgotten."""
    await session.execute(
        text(f"DELETE FROM {_DRILLS} WHERE begun_at < :before"), {"before": now - _KEPT}
    )
    return bool(await session.execute(_BEGIN, {"slot": slot, "now": now}))


async def taken(session: Session, slot: int, referral_id: str) -> None:
    await session.execute(
        text(f"UPDATE {_DRILLS} SET referral_id = :id WHERE slot = :slot"),
        {"id": referral_id, "slot": slot},
    )


async def arrived(session: Session, now: datetime, *, own: bool) -> Sequence[Any]:
    """Those whose every notice is delivered and, with `own`, was opened and acknowledged by our own
    recipient."""
    return await session.execute(_ARRIVED, {"since": now - PATIENCE, "own": own})


async def unanswered(session: Session, now: datetime) -> Sequence[Any]:
    """What our own recipient has opened and not acknowledged yet."""
    return (await session.execute(_UNANSWERED, {"since": now - PATIENCE})).all()


async def passed(session: Session, slot: int, now: datetime) -> None:
    await session.execute(
        text(f"UPDATE {_DRILLS} SET passed_at = :now WHERE slot = :slot AND passed_at IS NULL"),
        {"now": now, "slot": slot},
    )


async def last_passed(session: Session) -> datetime | None:
    found: datetime | None = await session.scalar(text(f"SELECT max(passed_at) FROM {_DRILLS}"))
    return found


async def receive(session: Session, notice_id: str, now: datetime) -> None:
    await session.execute(
        text(
            f"INSERT INTO {_RECEIPTS} (notice_id, received_at) VALUES (:id, :now) "
            "ON CONFLICT DO NOTHING"
        ),
        {"id": notice_id, "now": now},
    )
