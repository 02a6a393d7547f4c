"""From the rows of a claim to the attempt that may now be made. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.notify.delivery import events as delivery_events
from services.notify.delivery.attempts import Attempt, SealedCopy
from shared.contracts.base import EventData
from shared.contracts.codes import Channel, RefusalReason, Role
from shared.runtime.sealing import WrappedKey


def made(
    rows: Sequence[Any], notices: Sequence[Any], ids: dict[str, str], now: datetime
) -> tuple[tuple[Attempt, ...], list[EventData]]:
    """The attempts and the events that say so. Raises, of them all, where one holds what this
    release cannot read: a word of a later one, perhaps."""
    pairs = zip(rows, notices, strict=True)
    attempts = tuple(attempt_of(row, notice, ids[row.notice_id]) for row, notice in pairs)
    return attempts, delivery_events.attempted(notices, ids, now)


def can_be_attempted(row: Any, notice: Any, ids: dict[str, str], now: datetime) -> bool:
    try:
        made([row], [notice], ids, now)
    except Exception:
        return False
    return True


def can_be_refused(notice: Any, reason: RefusalReason, now: datetime) -> bool:
    try:
        delivery_events.refused([(notice, reason)], (), now)
    except Exception:
        return False
    return True


def attempt_of(row: Any, notice: Any, disclosure_id: str) -> Attempt:
    return Attempt(
        disclosure_id=disclosure_id,
        notice_id=notice.notice_id,
        referral_id=notice.referral_id,
        referral_number=notice.referral_number,
        child_id=notice.child_id,
        agency_id=notice.agency_id,
        role=Role(notice.role),
        version=notice.version,
        kind=notice.kind,
        supersedes=notice.supersedes,
        trigger=notice.trigger,
        received_at=notice.received_at,
        planned_at=notice.planned_at,
        authority=notice.authority,
        purpose=notice.purpose,
        copy=_copy(notice, notice.version, notice.profile, notice.sealed),
        endpoint=notice.endpoint,
        public_key=notice.encryption_key,
        allowed_networks=tuple(notice.allowed_networks),
        retry=row.retry,
        probe=row.probe,
        strained=notice.consecutive_failures > 0,
        agency_name=notice.agency_name,
        form=notice.form,
        revision=notice.revision,
        cause=notice.cause,
        recalls=notice.recalls,
        relates=None if notice.relation is None else (notice.related_number, notice.relation),
        part=_copy(notice, notice.version, notice.part, notice.part_sealed),
        before=_before(notice),
        channel=Channel(notice.channel),
        email=notice.email,
        secrets=tuple(notice.secrets),
        agency_kind=notice.agency_kind,
        limited=notice.max_in_flight is not None,
        traceparent=notice.traceparent,
    )


def _before(notice: Any) -> SealedCopy | None:
    """What a correction's recipient may hold, if that was of the same profile."""
    if notice.before_sealed is None:
        return None
    return _copy(notice, notice.supersedes, notice.profile, notice.before_sealed)


def _copy(notice: Any, version: int, profile: str | None, sealed: bytes) -> SealedCopy | None:
    if profile is None:
        return None
    return SealedCopy(WrappedKey(notice.kek_version, notice.wrapped), version, profile, sealed)
