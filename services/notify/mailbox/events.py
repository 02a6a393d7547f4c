"""What the mailbox and the telephone tell the others. Nothing here commits."""

from datetime import datetime
from typing import Any

from sqlalchemy import text

from services.notify import models
from services.notify.directory import tables as directory_tables
from shared.contracts.base import EventData
from shared.contracts.codes import Channel
from shared.contracts.disclosures import Attempt, DisclosuresAttempted, ToldOrally
from shared.contracts.notices import (
    AcknowledgedNotice,
    NoticesAcknowledged,
    NoticesPickedUp,
    NoticesToldOrally,
    PickedUpNotice,
    ToldNotice,
)
from shared.runtime.db import Session

_NOTICE = text(
    f"SELECT n.*, (SELECT kind FROM {directory_tables.agencies.fullname} a "
    f"WHERE a.agency_id = n.agency_id) AS agency_kind FROM {models.notices.fullname} n "
    "WHERE notice_id = :notice_id"
)


async def notice(session: Session, notice_id: str) -> Any:
    """Its row, frozen when planned, and its recipient's kind; None when there is none."""
    return (await session.execute(_NOTICE, {"notice_id": notice_id})).first()


def opened(row: Any, disclosure_id: str, person: str, purpose: str, now: datetime) -> EventData:
    """A reading in the mailbox: a disclosure of all that the notice holds, to that person."""
    attempt = Attempt(
        disclosure_id=disclosure_id,
        notice_id=row.notice_id,
        child_id=row.child_id,
        agency_id=row.agency_id,
        role=row.role,
        version=row.version,
        channel=Channel.MAILBOX,
        authority=row.authority,
        purpose=f"{row.purpose} ({purpose})",
        rule=row.rule,
        rules_version=row.rules_version,
        directory_version=row.directory_version,
        fields=tuple(row.fields),
        commitment=row.commitment,
        attempted_at=now,
        actor=person,
    )
    return DisclosuresAttempted(referral_id=row.referral_id, attempts=(attempt,))


def picked_up(row: Any, now: datetime) -> EventData:
    leg = PickedUpNotice(**_leg(row), picked_up_at=now)
    return NoticesPickedUp(referral_id=row.referral_id, notices=(leg,))


def acknowledged(row: Any, now: datetime) -> EventData:
    leg = AcknowledgedNotice(**_leg(row), acknowledged_at=now)
    return NoticesAcknowledged(referral_id=row.referral_id, notices=(leg,))


def told_orally(
    row: Any, disclosure_id: str, person: str, told_at: datetime, now: datetime
) -> list[EventData]:
    leg = ToldNotice(**_leg(row), told_at=told_at, recorded_at=now)
    record = ToldOrally(
        referral_id=row.referral_id,
        disclosure_id=disclosure_id,
        version=row.version,
        child_ids=(row.child_id,),
        recipient_id=row.agency_id,
        actor=person,
        authority=row.authority,
        purpose=row.purpose,
        fields=tuple(row.fields),
        commitment=row.commitment,
        occurred_at=told_at,
        recorded_at=now,
    )
    return [record, NoticesToldOrally(referral_id=row.referral_id, notices=(leg,))]


def _leg(row: Any) -> dict[str, Any]:
    return {
        "notice_id": row.notice_id,
        "child_id": row.child_id,
        "agency_id": row.agency_id,
        "role": row.role,
        "version": row.version,
    }
