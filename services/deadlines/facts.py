"""Facts: what the events of other services say, one by one, each with the time it is true of."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from shared.contracts.codes import Channel, HtType, NoticeKind, Role, Trigger
from shared.contracts.notices import (
    DeliveredNotice,
    LeftNotice,
    NoticesDelivered,
    NoticesPlanned,
    NoticesRefused,
    NoticesRerouted,
    NoticesSuperseded,
    PlannedNotice,
    RefusedNotice,
    SupersededNotice,
)
from shared.contracts.referrals import ReferralAmended, ReferralReceived

FactBearing = (
    ReferralReceived
    | ReferralAmended
    | NoticesPlanned
    | NoticesRefused
    | NoticesDelivered
    | NoticesSuperseded
    | NoticesRerouted
)
"""The events that carry facts."""


_POINTERS = (Channel.PICKUP, Channel.EMAIL)


class FactKind(StrEnum):
    """The kinds of fact. Policies name those that satisfy them."""

    STATED = "referral.stated"
    """One version's word on one child: when the report was received, and what is alleged."""
    ROUTED = "route.planned"
    """A version's recipients are fixed. It exists even when they are none."""
    PLANNED = "notice.planned"
    REFUSED = "notice.refused"
    DELIVERED = "notice.delivered"
    SUPERSEDED = "notice.superseded"
    LEFT = "notice.left"
    """A recipient is no longer of its leg: others were planned in its place."""
    SUPERSESSION_PLANNED = "supersession.planned"
    """A content-free notice to one who left the route: it is no part of a leg, and tells nothing
    of the child when it is delivered."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What a referral version says that clocks depend on."""

    received_at: datetime
    trigger: Trigger
    ht_type: HtType
    synthetic: bool = False


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact. `event_id` and `place` (in the event, from 0) identify it for good.

    `occurred_at` is when it happened, never when we heard of it. A refused duty with no agency
    that fits its role has no `agency_id`; a fact about a whole route has no `child_id`.
    """

    event_id: str
    place: int
    kind: FactKind
    referral_id: str
    occurred_at: datetime
    version: int
    child_id: str | None = None
    role: Role | None = None
    agency_id: str | None = None
    notice_id: str | None = None
    statement: Statement | None = None


def facts_of(event_id: str, data: FactBearing) -> tuple[Fact, ...]:
    """The facts that an event carries, in its own order."""
    match data:
        case ReferralReceived() | ReferralAmended():
            return tuple(_stated(event_id, data))
        case NoticesPlanned():
            return tuple(_planned(event_id, data))
        case NoticesRefused():
            return tuple(_refused(event_id, data))
        case NoticesDelivered():
            return tuple(_delivered(event_id, data))
        case NoticesSuperseded():
            return tuple(_superseded(event_id, data))
        case NoticesRerouted():
            return tuple(_rerouted(event_id, data))
        case _:
            assert_never(data)


def _stated(event_id: str, data: ReferralReceived | ReferralAmended) -> Iterator[Fact]:
    for place, child in enumerate(data.children):
        yield Fact(
            event_id,
            place,
            FactKind.STATED,
            data.referral_id,
            data.recorded_at,
            data.version,
            child_id=child.child_id,
            statement=Statement(data.received_at, data.trigger, child.ht_type, data.synthetic),
        )


def _planned(event_id: str, data: NoticesPlanned) -> Iterator[Fact]:
    yield Fact(event_id, 0, FactKind.ROUTED, data.referral_id, data.planned_at, data.version)
    for place, leg in enumerate(data.notices, start=1):
        supersession = leg.kind is NoticeKind.SUPERSESSION
        kind = FactKind.SUPERSESSION_PLANNED if supersession else FactKind.PLANNED
        yield _of_leg(event_id, place, kind, data.referral_id, data.planned_at, data.version, leg)


def _refused(event_id: str, data: NoticesRefused) -> Iterator[Fact]:
    kind = FactKind.REFUSED
    for place, leg in enumerate(data.notices):
        yield _of_leg(event_id, place, kind, data.referral_id, data.refused_at, data.version, leg)


def _delivered(event_id: str, data: NoticesDelivered) -> Iterator[Fact]:
    """A pointer that arrived tells nothing of a child, so it is no fact of a duty."""
    kind = FactKind.DELIVERED
    for place, leg in enumerate(data.notices):
        if leg.channel in _POINTERS:
            continue
        yield _of_leg(event_id, place, kind, data.referral_id, leg.delivered_at, leg.version, leg)


def _superseded(event_id: str, data: NoticesSuperseded) -> Iterator[Fact]:
    kind = FactKind.SUPERSEDED
    for place, leg in enumerate(data.notices):
        yield _of_leg(event_id, place, kind, data.referral_id, data.superseded_at, leg.version, leg)


def _rerouted(event_id: str, data: NoticesRerouted) -> Iterator[Fact]:
    at, version = data.rerouted_at, data.version
    legs: list[tuple[FactKind, LeftNotice | PlannedNotice]]
    legs = [(FactKind.LEFT, leg) for leg in data.left]
    legs += [(FactKind.PLANNED, leg) for leg in data.notices]
    for place, (kind, leg) in enumerate(legs):
        yield _of_leg(event_id, place, kind, data.referral_id, at, version, leg)


def _of_leg(
    event_id: str,
    place: int,
    kind: FactKind,
    referral_id: str,
    occurred_at: datetime,
    version: int,
    leg: PlannedNotice | RefusedNotice | DeliveredNotice | SupersededNotice | LeftNotice,
) -> Fact:
    return Fact(
        event_id,
        place,
        kind,
        referral_id,
        occurred_at,
        version,
        leg.child_id,
        leg.role,
        leg.agency_id,
        leg.notice_id,
    )
