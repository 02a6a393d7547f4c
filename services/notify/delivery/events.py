"""What delivery tells the others, grouped per referral. Pure."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from services.notify.delivery.attempts import Ended, Standing
from services.notify.delivery.channels import POINTERS
from services.notify.planning.plan import OF_NO_CLOCK, DeliveryState
from services.notify.planning.series import stage_of
from services.notify.routing.routes import role_of
from shared.contracts.base import EventData
from shared.contracts.codes import Channel, RefusalReason, Role
from shared.contracts.disclosures import (
    Attempt,
    DisclosuresAttempted,
    DisclosuresCompleted,
    DisclosuresFailed,
    DisclosuresRefused,
    DisclosuresUnknown,
    Outcome,
    RefusedDisclosure,
)
from shared.contracts.notices import (
    DeliveredNotice,
    NoticesDelivered,
    NoticesRefused,
    NoticesSuperseded,
    NoticesWithdrawn,
    RefusedNotice,
    SupersededNotice,
    WithdrawnNotice,
)

_FACTS: dict[
    str, type[DisclosuresCompleted] | type[DisclosuresFailed] | type[DisclosuresUnknown]
] = {
    "completed": DisclosuresCompleted,
    "failed": DisclosuresFailed,
    "unknown": DisclosuresUnknown,
}
_STOPPED = frozenset({DeliveryState.SUPERSEDED, DeliveryState.WITHDRAWN})


def attempted(notices: Iterable[Any], ids: dict[str, str], now: datetime) -> list[EventData]:
    """One event per referral. `notices` are rows of that table, `ids` their disclosures'.

    A pointer discloses no field of what waits.
    """
    by_referral = defaultdict(list)
    for row in notices:
        by_referral[row.referral_id].append(
            Attempt(
                disclosure_id=ids[row.notice_id],
                notice_id=row.notice_id,
                child_id=row.child_id,
                agency_id=row.agency_id,
                role=row.role,
                version=row.version,
                channel=Channel(row.channel),
                authority=row.authority,
                purpose=row.purpose,
                rule=row.rule,
                rules_version=row.rules_version,
                directory_version=row.directory_version,
                fields=() if row.channel in POINTERS else tuple(row.fields),
                commitment=row.commitment,
                attempted_at=now,
            )
        )
    return [
        DisclosuresAttempted(referral_id=referral_id, attempts=tuple(attempts))
        for referral_id, attempts in by_referral.items()
    ]


def refused(
    refusals: Sequence[tuple[Any, RefusalReason]], again: Collection[str], now: datetime
) -> list[EventData]:
    """Of notices (rows of that table) that the law no longer permits to send.

    A supersession, a withdrawal, a recall or a consult's outcome is no clock's duty, and of what
    was to be sent `again` the duty was met: neither is among the refused notices.
    """
    by_version = defaultdict(list)
    by_referral = defaultdict(list)
    for row, reason in refusals:
        who = {
            "notice_id": row.notice_id,
            "child_id": row.child_id,
            "agency_id": row.agency_id,
            "role": row.role,
            "reason": reason,
        }
        if row.kind not in OF_NO_CLOCK and row.notice_id not in again:
            plan = row.referral_id, row.version, stage_of(row.series)
            by_version[plan].append(RefusedNotice(**who))
        by_referral[row.referral_id].append(
            RefusedDisclosure(**who, version=row.version, refused_at=now)
        )
    return [
        *(
            NoticesRefused(
                referral_id=ref, version=version, stage=stage, refused_at=now, notices=tuple(each)
            )
            for (ref, version, stage), each in by_version.items()
        ),
        *(
            DisclosuresRefused(referral_id=referral_id, refused=tuple(each))
            for referral_id, each in by_referral.items()
        ),
    ]


def outcomes(facts: Iterable[tuple[Standing, Ended]]) -> list[EventData]:
    """One event per referral and kind of outcome."""
    grouped = defaultdict(list)
    for standing, ended in facts:
        grouped[ended.fact, standing.referral_id].append(
            Outcome(
                disclosure_id=ended.disclosure_id,
                notice_id=ended.notice_id,
                child_id=standing.child_id,
                occurred_at=ended.at,
                http_status=ended.http_status,
            )
        )
    return [
        _FACTS[fact](referral_id=referral_id, outcomes=tuple(each))
        for (fact, referral_id), each in grouped.items()
    ]


def told(
    before: Mapping[str, Standing],
    facts: Iterable[Ended],
    after: Mapping[str, Standing],
    now: datetime,
) -> list[EventData]:
    """What attempts came to, and their deliveries by it, but for what is `untold`."""
    known = [each for each in before.values() if role_of(each.role) is not None]
    return [
        *outcomes((before[each.notice_id], each) for each in facts),
        *delivered(known, after),
        *superseded(known, after, now),
        *withdrawn(known, after, now),
    ]


def untold(before: Iterable[Standing], after: Mapping[str, Standing]) -> list[Standing]:
    """Deliveries whose end is news, of roles that this release does not know: no event of it can
    name them."""
    unknown = [(was, after[was.notice_id]) for was in before if role_of(was.role) is None]
    return [
        now
        for was, now in unknown
        if was.delivered_at != now.delivered_at
        or (was.state is not now.state and now.state in _STOPPED)
    ]


def delivered(before: Iterable[Standing], after: Mapping[str, Standing]) -> list[EventData]:
    """Of deliveries whose first 2xx is new: once each, however many attempts were accepted."""
    by_referral = defaultdict(list)
    for was in before:
        now = after[was.notice_id]
        if was.delivered_at is None and now.delivered_at is not None:
            by_referral[now.referral_id].append(
                DeliveredNotice(
                    notice_id=now.notice_id,
                    child_id=now.child_id,
                    agency_id=now.agency_id,
                    role=Role(now.role),
                    version=now.version,
                    channel=now.delivered_by,
                    delivered_at=now.delivered_at,
                )
            )
    return [
        NoticesDelivered(referral_id=referral_id, notices=tuple(notices))
        for referral_id, notices in by_referral.items()
    ]


def superseded(
    before: Iterable[Standing], after: Mapping[str, Standing], at: datetime
) -> list[EventData]:
    """Of deliveries whose last attempt ended without an answer to keep."""
    grouped = defaultdict(list)
    for was in before:
        now = after[was.notice_id]
        if was.state is not now.state and now.state is DeliveryState.SUPERSEDED:
            grouped[now.referral_id, now.superseded_by].append(
                SupersededNotice(
                    notice_id=now.notice_id,
                    child_id=now.child_id,
                    agency_id=now.agency_id,
                    role=Role(now.role),
                    version=now.version,
                )
            )
    return [
        NoticesSuperseded(
            referral_id=referral_id,
            superseded_by=by,
            superseded_at=at,
            notices=tuple(notices),
        )
        for (referral_id, by), notices in grouped.items()
        if by is not None
    ]


def withdrawn(
    before: Iterable[Standing], after: Mapping[str, Standing], at: datetime
) -> list[EventData]:
    """Of deliveries whose last attempt ended without an answer after their referral was found to
    be entered in error."""
    grouped = defaultdict(list)
    for was in before:
        now = after[was.notice_id]
        if was.state is not now.state and now.state is DeliveryState.WITHDRAWN:
            grouped[now.referral_id].append(
                WithdrawnNotice(
                    notice_id=now.notice_id,
                    child_id=now.child_id,
                    agency_id=now.agency_id,
                    role=Role(now.role),
                    version=now.version,
                )
            )
    return [
        NoticesWithdrawn(referral_id=referral_id, withdrawn_at=at, notices=tuple(notices))
        for referral_id, notices in grouped.items()
    ]
