"""Which facts an event carries, in its own order."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Protocol, assert_never

from services.deadlines.facts import Fact, FactKind, Statement
from shared.contracts.codes import Acceptance, Channel, NoticeKind, Role, Stage, WithdrawalCause
from shared.contracts.notices import (
    NoticesAcknowledged,
    NoticesClosed,
    NoticesDelivered,
    NoticesHeld,
    NoticesPickedUp,
    NoticesPlanned,
    NoticesRefused,
    NoticesRerouted,
    NoticesSuperseded,
    NoticesToldOrally,
    NoticesWithdrawn,
    PlannedNotice,
)
from shared.contracts.referrals import (
    CaseFlagged,
    ConsultCompleted,
    ConsultEntered,
    ConsultRequested,
    ReferralAmended,
    ReferralDecided,
    ReferralLinked,
    ReferralReceived,
    ReferralWithdrawn,
    VictimIdentified,
)

OfReferral = ReferralReceived | ReferralAmended | ReferralDecided | ReferralWithdrawn
OfConsult = ConsultRequested | ConsultCompleted | ConsultEntered | VictimIdentified
OfPlan = NoticesPlanned | NoticesRefused | NoticesRerouted
OfNotices = (
    NoticesDelivered
    | NoticesPickedUp
    | NoticesAcknowledged
    | NoticesToldOrally
    | NoticesSuperseded
    | NoticesWithdrawn
    | NoticesHeld
    | NoticesClosed
)
FactBearing = OfReferral | ReferralLinked | CaseFlagged | OfConsult | OfPlan | OfNotices
"""The events that carry facts."""

_NO_LEG = frozenset(
    {
        NoticeKind.SUPERSESSION,
        NoticeKind.WITHDRAWAL,
        NoticeKind.RECALL,
        NoticeKind.CONSULT_OUTCOME,
    }
)
"""They tell nothing of the child, or something else than what the clocks' duties are about."""


def facts_of(event_id: str, data: FactBearing) -> tuple[Fact, ...]:
    """The facts that an event carries. What comes most is asked for first."""
    match data:
        case NoticesDelivered():
            return tuple(_of_notices(event_id, data))
        case NoticesPlanned():
            return tuple(_planned(event_id, data))
        case ReferralReceived() | ReferralAmended():
            return tuple(_stated(event_id, data))
        case ReferralDecided() | ReferralWithdrawn() | ReferralLinked() | CaseFlagged():
            return (_of_the_whole(event_id, data),)
        case ConsultRequested() | ConsultCompleted() | ConsultEntered() | VictimIdentified():
            return (_of_consult(event_id, data),)
        case NoticesRefused():
            return tuple(_refused(event_id, data))
        case NoticesRerouted():
            return tuple(_rerouted(event_id, data))
        case _:
            return tuple(_of_notices(event_id, data))


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


def _of_the_whole(
    event_id: str, data: ReferralDecided | ReferralWithdrawn | ReferralLinked | CaseFlagged
) -> Fact:
    match data:
        case ReferralDecided(outcome=Acceptance.ACCEPTED):
            kind, at, version = FactKind.ACCEPTED, data.decided_at, data.decision
        case ReferralDecided():
            kind, at, version = FactKind.NOT_ACCEPTED, data.recorded_at, data.decision
        case ReferralWithdrawn(cause=WithdrawalCause.ENTERED_IN_ERROR):
            kind, at, version = FactKind.ENTERED_IN_ERROR, data.recorded_at, data.version
        case ReferralWithdrawn():
            kind, at, version = FactKind.WITHDRAWN, data.recorded_at, data.version
        case ReferralLinked(related_referral_id=other):
            at = data.recorded_at
            return Fact(event_id, 0, FactKind.LINKED, data.referral_id, at, 1, matter=other)
        case CaseFlagged():
            kind, at, version = FactKind.FLAGGED, data.flagged_at, 1
        case _:
            assert_never(data)
    return Fact(event_id, 0, kind, data.subject, at, version)


def _of_consult(event_id: str, data: OfConsult) -> Fact:
    match data:
        case ConsultRequested():
            kind, at = FactKind.CONSULT_REQUESTED, data.started_at
        case ConsultCompleted():
            kind, at = FactKind.CONSULT_COMPLETED, data.completed_at
        case ConsultEntered():
            kind, at = FactKind.CONSULT_ENTERED, data.entered_at
        case VictimIdentified():
            kind, at = FactKind.IDENTIFIED, data.identified_at
        case _:
            assert_never(data)
    child, consult = data.child_id, data.consult_id
    return Fact(event_id, 0, kind, data.referral_id, at, 1, child_id=child, matter=consult)


def _planned(event_id: str, data: NoticesPlanned) -> Iterator[Fact]:
    at, version, stage = data.planned_at, data.version, data.stage
    yield Fact(event_id, 0, FactKind.ROUTED, data.referral_id, at, version, stage=stage)
    for place, leg in enumerate(data.notices, start=1):
        yield _of_leg(event_id, place, _kind(leg), data.referral_id, at, version, leg, stage)


def _kind(leg: PlannedNotice) -> FactKind:
    return FactKind.SUPERSESSION_PLANNED if leg.kind in _NO_LEG else FactKind.PLANNED


def _refused(event_id: str, data: NoticesRefused) -> Iterator[Fact]:
    kind, at, stage = FactKind.REFUSED, data.refused_at, data.stage
    for place, leg in enumerate(data.notices):
        yield _of_leg(event_id, place, kind, data.referral_id, at, data.version, leg, stage)


def _rerouted(event_id: str, data: NoticesRerouted) -> Iterator[Fact]:
    at, version, stage = data.rerouted_at, data.version, data.stage
    legs: list[tuple[FactKind, Leg]] = [(FactKind.LEFT, leg) for leg in data.left]
    legs += [(_kind(leg), leg) for leg in data.notices]
    for place, (kind, leg) in enumerate(legs):
        yield _of_leg(event_id, place, kind, data.referral_id, at, version, leg, stage)


def _of_notices(event_id: str, data: OfNotices) -> Iterator[Fact]:
    for place, (kind, at, leg) in enumerate(_happened(data)):
        yield _of_leg(event_id, place, kind, data.referral_id, at, leg.version, leg)


def _happened(data: OfNotices) -> Iterable[tuple[FactKind, datetime, "VersionedLeg"]]:
    """What happened to each notice of an event, and when."""
    match data:
        case NoticesDelivered():
            return [(_delivery(leg.channel), leg.delivered_at, leg) for leg in data.notices]
        case NoticesPickedUp():
            return [(FactKind.PICKED_UP, leg.picked_up_at, leg) for leg in data.notices]
        case NoticesAcknowledged():
            return [(FactKind.ACKNOWLEDGED, leg.acknowledged_at, leg) for leg in data.notices]
        case NoticesToldOrally():
            return [(FactKind.TOLD_ORALLY, leg.told_at, leg) for leg in data.notices]
        case NoticesSuperseded():
            return [(FactKind.SUPERSEDED, data.superseded_at, leg) for leg in data.notices]
        case NoticesWithdrawn():
            return [(FactKind.CANCELLED, data.withdrawn_at, leg) for leg in data.notices]
        case NoticesHeld():
            return [(FactKind.HELD, leg.held_at, leg) for leg in data.notices]
        case NoticesClosed():
            return [(FactKind.CLOSED, leg.closed_at, leg) for leg in data.notices]
        case _:
            assert_never(data)


def _delivery(channel: Channel) -> FactKind:
    """Only what its recipient could read is delivered; a pointer tells nothing (C32)."""
    return FactKind.DELIVERED if channel is Channel.ENCRYPTED else FactKind.POINTED


class Leg(Protocol):
    """The parts of events that name a leg."""

    @property
    def notice_id(self) -> str: ...
    @property
    def child_id(self) -> str: ...
    @property
    def agency_id(self) -> str | None: ...
    @property
    def role(self) -> Role: ...


class VersionedLeg(Leg, Protocol):
    @property
    def version(self) -> int: ...


def _of_leg(
    event_id: str,
    place: int,
    kind: FactKind,
    referral_id: str,
    occurred_at: datetime,
    version: int,
    leg: Leg,
    stage: Stage | None = None,
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
        stage=stage,
    )
