"""Topic `notices`, emitted by notify; subject: the referral."""

from typing import ClassVar

from pydantic import Field

from shared.contracts.base import Instant, OpaqueId, Part, ReferralData, Topic
from shared.contracts.codes import Channel, NoticeKind, RefusalReason, Role, Stage


class _Leg(Part):
    """One recipient's leg: who must be told about which child, in which role."""

    notice_id: OpaqueId
    child_id: OpaqueId
    agency_id: OpaqueId
    role: Role


class PlannedNotice(_Leg):
    kind: NoticeKind


class NoticesPlanned(ReferralData):
    """The recipients of one referral version, frozen: the set may shrink, never grow (P3)."""

    topic: ClassVar[Topic] = Topic.NOTICES
    type: ClassVar[str] = "hartline.notices.planned.v1"

    version: int = Field(ge=1)
    stage: Stage = Field(
        Stage.RECEIVED,
        description="What set the plan in motion. The plan of a later stage stands beside that of "
        "the version and takes nothing from it.",
    )
    rules_version: str
    directory_version: int
    planned_at: Instant
    notices: tuple[PlannedNotice, ...]


class RefusedNotice(Part):
    """A duty that could not be met. `agency_id` is null when no agency fits the role."""

    notice_id: OpaqueId
    child_id: OpaqueId
    agency_id: OpaqueId | None
    role: Role
    reason: RefusalReason


class NoticesRefused(ReferralData):
    """Nothing was sent to these, and a person has a task (P3)."""

    topic: ClassVar[Topic] = Topic.NOTICES
    type: ClassVar[str] = "hartline.notices.refused.v1"

    version: int = Field(ge=1)
    stage: Stage = Field(Stage.RECEIVED, description="The stage of the plan that it belongs to.")
    refused_at: Instant
    notices: tuple[RefusedNotice, ...] = Field(min_length=1)


class DeliveredNotice(_Leg):
    version: int = Field(ge=1)
    channel: Channel
    delivered_at: Instant


class NoticesDelivered(ReferralData):
    """Recipients that answered 2xx: to an encrypted notice, or to a pointer, which tells nothing of
    a child and meets no duty."""

    topic: ClassVar[Topic] = Topic.NOTICES
    type: ClassVar[str] = "hartline.notices.delivered.v1"

    notices: tuple[DeliveredNotice, ...] = Field(min_length=1)


class SupersededNotice(_Leg):
    version: int = Field(ge=1)


class NoticesSuperseded(ReferralData):
    """These will not be tried (again): a later version takes their place."""

    topic: ClassVar[Topic] = Topic.NOTICES
    type: ClassVar[str] = "hartline.notices.superseded.v1"

    superseded_by: int = Field(
        ge=1,
        description="The referral version that takes their place: the same one, when a decision on "
        "it was reversed.",
    )
    superseded_at: Instant
    notices: tuple[SupersededNotice, ...] = Field(min_length=1)


class LeftNotice(_Leg):
    version: int = Field(ge=1)


class NoticesRerouted(ReferralData):
    """A plan of its own beside a version's plan: some recipients are no longer told, and others
    are, or count for their role. It never says why."""

    topic: ClassVar[Topic] = Topic.NOTICES
    type: ClassVar[str] = "hartline.notices.rerouted.v1"

    version: int = Field(ge=1)
    stage: Stage = Field(Stage.RECEIVED, description="The stage of the plan that it belongs to.")
    rules_version: str
    directory_version: int
    rerouted_at: Instant
    left: tuple[LeftNotice, ...] = Field(min_length=1)
    notices: tuple[PlannedNotice, ...]


class WithdrawnNotice(_Leg):
    version: int = Field(ge=1)


class NoticesWithdrawn(ReferralData):
    """These will not be tried (again): the referral was entered in error, and nobody need know."""

    topic: ClassVar[Topic] = Topic.NOTICES
    type: ClassVar[str] = "hartline.notices.withdrawn.v1"

    withdrawn_at: Instant
    notices: tuple[WithdrawnNotice, ...] = Field(min_length=1)


class HeldNotice(_Leg):
    version: int = Field(ge=1)
    held_at: Instant


class NoticesHeld(ReferralData):
    """Not sent for now, by a breaker, a pause or a stop. A person has a task, and clocks run."""

    topic: ClassVar[Topic] = Topic.NOTICES
    type: ClassVar[str] = "hartline.notices.held.v1"

    notices: tuple[HeldNotice, ...] = Field(min_length=1)


class PickedUpNotice(_Leg):
    version: int = Field(ge=1)
    picked_up_at: Instant


class NoticesPickedUp(ReferralData):
    """A person of the recipient's opened these in the mailbox, for the first time."""

    topic: ClassVar[Topic] = Topic.NOTICES
    type: ClassVar[str] = "hartline.notices.picked_up.v1"

    notices: tuple[PickedUpNotice, ...] = Field(min_length=1)


class AcknowledgedNotice(_Leg):
    version: int = Field(ge=1)
    acknowledged_at: Instant


class NoticesAcknowledged(ReferralData):
    """The recipient says that it has these and who received them, which notify keeps."""

    topic: ClassVar[Topic] = Topic.NOTICES
    type: ClassVar[str] = "hartline.notices.acknowledged.v1"

    notices: tuple[AcknowledgedNotice, ...] = Field(min_length=1)


class ToldNotice(_Leg):
    version: int = Field(ge=1)
    told_at: Instant = Field(description="When it was told; it may be entered much later.")
    recorded_at: Instant


class NoticesToldOrally(ReferralData):
    """Told by word of mouth, with the confidentiality warning read (C32)."""

    topic: ClassVar[Topic] = Topic.NOTICES
    type: ClassVar[str] = "hartline.notices.told_orally.v1"

    notices: tuple[ToldNotice, ...] = Field(min_length=1)


class ClosedNotice(_Leg):
    version: int = Field(ge=1)
    closed_at: Instant


class NoticesClosed(ReferralData):
    """Ended by a named person with a reason, which notify keeps. It meets no duty."""

    topic: ClassVar[Topic] = Topic.NOTICES
    type: ClassVar[str] = "hartline.notices.closed.v1"

    notices: tuple[ClosedNotice, ...] = Field(min_length=1)
