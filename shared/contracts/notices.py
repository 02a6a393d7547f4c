"""Topic `notices`, emitted by notify; subject: the referral."""

from typing import ClassVar

from pydantic import Field

from shared.contracts.base import Instant, OpaqueId, Part, ReferralData, Topic
from shared.contracts.codes import Channel, NoticeKind, RefusalReason, Role


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
    refused_at: Instant
    notices: tuple[RefusedNotice, ...] = Field(min_length=1)


class DeliveredNotice(_Leg):
    version: int = Field(ge=1)
    channel: Channel
    delivered_at: Instant


class NoticesDelivered(ReferralData):
    """Recipients that answered 2xx to an encrypted notice."""

    topic: ClassVar[Topic] = Topic.NOTICES
    type: ClassVar[str] = "hartline.notices.delivered.v1"

    notices: tuple[DeliveredNotice, ...] = Field(min_length=1)


class SupersededNotice(_Leg):
    version: int = Field(ge=1)


class NoticesSuperseded(ReferralData):
    """These will not be tried (again): a later version takes their place."""

    topic: ClassVar[Topic] = Topic.NOTICES
    type: ClassVar[str] = "hartline.notices.superseded.v1"

    superseded_by: int = Field(ge=2, description="The referral version that takes their place.")
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
    rules_version: str
    directory_version: int
    rerouted_at: Instant
    left: tuple[LeftNotice, ...] = Field(min_length=1)
    notices: tuple[PlannedNotice, ...]
