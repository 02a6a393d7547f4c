"""Obviously invented events of a referral's later life, for the clocks."""

from datetime import datetime

from shared.contracts.codes import Acceptance, Channel, Relation, Role, Stage, WithdrawalCause
from shared.contracts.notices import (
    AcknowledgedNotice,
    ClosedNotice,
    DeliveredNotice,
    HeldNotice,
    LeftNotice,
    NoticesAcknowledged,
    NoticesClosed,
    NoticesDelivered,
    NoticesHeld,
    NoticesPickedUp,
    NoticesRerouted,
    NoticesToldOrally,
    PickedUpNotice,
    PlannedNotice,
    ToldNotice,
)
from shared.contracts.referrals import (
    CaseFlagged,
    ConsultCompleted,
    ConsultEntered,
    ConsultRequested,
    ReferralDecided,
    ReferralLinked,
    ReferralWithdrawn,
    VictimIdentified,
)
from tests.support.deadlines import CHILD, LE, REFERRAL, agency, notice, opaque

CONSULT = opaque("con", 1)


def decided(
    number: int,
    accepted: bool,
    at: datetime,
    *,
    recorded_at: datetime | None = None,
    referral: str = REFERRAL,
) -> ReferralDecided:
    return ReferralDecided(
        referral_id=referral,
        decision=number,
        outcome=Acceptance.ACCEPTED if accepted else Acceptance.NOT_ACCEPTED,
        version=1,
        decided_at=at,
        recorded_at=recorded_at or at,
    )


def withdrawn(
    at: datetime,
    cause: WithdrawalCause = WithdrawalCause.ENTERED_IN_ERROR,
    *,
    referral: str = REFERRAL,
) -> ReferralWithdrawn:
    return ReferralWithdrawn(referral_id=referral, version=1, cause=cause, recorded_at=at)


def linked(
    other: str,
    at: datetime,
    *,
    referral: str = REFERRAL,
    relation: Relation = Relation.SAME_FACTS,
) -> ReferralLinked:
    return ReferralLinked(
        referral_id=referral,
        related_referral_id=other,
        relation=relation,
        recorded_at=at,
    )


def flagged(at: datetime) -> CaseFlagged:
    return CaseFlagged(flag_id=opaque("flg", 1), flagged_at=at, discovered_at=at)


def consult_requested(
    at: datetime,
    *,
    consult: str = CONSULT,
    request: int = 1,
    child: str = CHILD,
    referral: str = REFERRAL,
    made_at: datetime | None = None,
) -> ConsultRequested:
    """`at`: the first request of its consult; `made_at`: this one, when it joined."""
    return ConsultRequested(
        referral_id=referral,
        consult_id=consult,
        child_id=child,
        recorded_at=made_at or at,
        request_id=opaque("req", request),
        requested_at=made_at or at,
        started_at=at,
    )


def consult_completed(
    at: datetime, *, consult: str = CONSULT, child: str = CHILD, referral: str = REFERRAL
) -> ConsultCompleted:
    return ConsultCompleted(
        referral_id=referral,
        consult_id=consult,
        child_id=child,
        recorded_at=at,
        completed_at=at,
    )


def consult_entered(
    at: datetime, *, consult: str = CONSULT, child: str = CHILD, referral: str = REFERRAL
) -> ConsultEntered:
    return ConsultEntered(
        referral_id=referral, consult_id=consult, child_id=child, recorded_at=at, entered_at=at
    )


def identified(
    at: datetime, *, consult: str = CONSULT, child: str = CHILD, referral: str = REFERRAL
) -> VictimIdentified:
    return VictimIdentified(
        referral_id=referral, consult_id=consult, child_id=child, recorded_at=at, identified_at=at
    )


def _leg(name: str, version: int, role: Role, child: str) -> dict[str, object]:
    return {
        "notice_id": notice(name, version, child),
        "child_id": child,
        "agency_id": agency(name),
        "role": role,
        "version": version,
    }


def pointed(
    name: str, at: datetime, *, version: int = 1, role: Role = LE, child: str = CHILD
) -> NoticesDelivered:
    """A webhook without content was answered 2xx."""
    leg = _leg(name, version, role, child) | {"channel": Channel.PICKUP, "delivered_at": at}
    return NoticesDelivered(referral_id=REFERRAL, notices=(DeliveredNotice.model_validate(leg),))


def picked_up(
    name: str, at: datetime, *, version: int = 1, role: Role = LE, child: str = CHILD
) -> NoticesPickedUp:
    leg = _leg(name, version, role, child) | {"picked_up_at": at}
    return NoticesPickedUp(referral_id=REFERRAL, notices=(PickedUpNotice.model_validate(leg),))


def acknowledged(
    name: str,
    at: datetime,
    *,
    version: int = 1,
    role: Role = LE,
    child: str = CHILD,
    referral: str = REFERRAL,
) -> NoticesAcknowledged:
    leg = _leg(name, version, role, child) | {"acknowledged_at": at}
    return NoticesAcknowledged(
        referral_id=referral, notices=(AcknowledgedNotice.model_validate(leg),)
    )


def told_orally(
    name: str,
    at: datetime,
    *,
    recorded_at: datetime | None = None,
    version: int = 1,
    role: Role = LE,
    child: str = CHILD,
    referral: str = REFERRAL,
) -> NoticesToldOrally:
    leg = _leg(name, version, role, child) | {"told_at": at, "recorded_at": recorded_at or at}
    return NoticesToldOrally(referral_id=referral, notices=(ToldNotice.model_validate(leg),))


def held(name: str, at: datetime, *, version: int = 1, role: Role = LE) -> NoticesHeld:
    leg = _leg(name, version, role, CHILD) | {"held_at": at}
    return NoticesHeld(referral_id=REFERRAL, notices=(HeldNotice.model_validate(leg),))


def closed(name: str, at: datetime, *, version: int = 1, role: Role = LE) -> NoticesClosed:
    leg = _leg(name, version, role, CHILD) | {"closed_at": at}
    return NoticesClosed(referral_id=REFERRAL, notices=(ClosedNotice.model_validate(leg),))


def rerouted(
    left: str,
    to: str,
    at: datetime,
    *,
    version: int = 1,
    role: Role = LE,
    stage: Stage = Stage.RECEIVED,
) -> NoticesRerouted:
    """`left` is of its leg no longer, and `to` (a letter each) are planned in its place."""
    planned = [_leg(name, version, role, CHILD) | {"kind": "original"} for name in to]
    return NoticesRerouted(
        referral_id=REFERRAL,
        version=version,
        stage=stage,
        rules_version="test",
        directory_version=1,
        rerouted_at=at,
        left=(LeftNotice.model_validate(_leg(left, version, role, CHILD)),),
        notices=tuple(map(PlannedNotice.model_validate, planned)),
    )
