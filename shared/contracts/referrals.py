"""Topic `referrals`, emitted by intake; subject: the referral, or the call that became none."""

from typing import ClassVar

from pydantic import Field

from shared.contracts.base import EventData, Instant, OpaqueId, Part, ReferralData, Topic
from shared.contracts.codes import Acceptance, HtType, Relation, Trigger, WithdrawalCause


class ReferralChild(Part):
    """A child of a referral, by opaque id, and the type of trafficking alleged."""

    child_id: OpaqueId
    ht_type: HtType


class _ReferralVersion(ReferralData):
    topic: ClassVar[Topic] = Topic.REFERRALS

    version: int = Field(ge=1, description="Version of the referral; content is fetched with it.")
    trigger: Trigger
    received_at: Instant = Field(description="When DCF received the report: the clocks' basis.")
    recorded_at: Instant = Field(description="When Hartline recorded this version.")
    children: tuple[ReferralChild, ...] = Field(min_length=1)
    synthetic: bool = False


class ReferralReceived(_ReferralVersion):
    """A referral was accepted for keeping (201). Fan-out happens here, whatever is decided."""

    type: ClassVar[str] = "hartline.referral.received.v1"


class ReferralAmended(_ReferralVersion):
    """A later version of the referral; the earlier versions stay readable by version."""

    type: ClassVar[str] = "hartline.referral.amended.v1"


class ReferralDecided(ReferralData):
    """A referral was accepted or not. Who was told at received was told, whatever this says."""

    topic: ClassVar[Topic] = Topic.REFERRALS
    type: ClassVar[str] = "hartline.referral.decided.v1"

    decision: int = Field(ge=1, description="Counts the referral's decisions; the last one holds.")
    outcome: Acceptance
    version: int = Field(ge=1, description="Version of the referral that was decided on.")
    decided_at: Instant = Field(description="When it was decided.")
    recorded_at: Instant = Field(description="When Hartline recorded it.")
    synthetic: bool = False


class ReferralWithdrawn(ReferralData):
    """A referral was withdrawn. It stays readable; who holds it must be told why."""

    topic: ClassVar[Topic] = Topic.REFERRALS
    type: ClassVar[str] = "hartline.referral.withdrawn.v1"

    version: int = Field(ge=1, description="The version that was current.")
    cause: WithdrawalCause
    recorded_at: Instant = Field(description="When it was withdrawn.")
    synthetic: bool = False


class ReferralLinked(ReferralData):
    """A referral was linked to another one, which stays a referral of its own."""

    topic: ClassVar[Topic] = Topic.REFERRALS
    type: ClassVar[str] = "hartline.referral.linked.v1"

    related_referral_id: OpaqueId
    relation: Relation
    recorded_at: Instant
    synthetic: bool = False


class CallAbandoned(EventData):
    """A call was left alone, unfinished: a named person must see what became of it."""

    topic: ClassVar[Topic] = Topic.REFERRALS
    type: ClassVar[str] = "hartline.call.abandoned.v1"

    call_id: OpaqueId
    received_at: Instant = Field(description="When the call came in: the clocks' basis.")
    saved_at: Instant = Field(description="When something of it was last kept.")
    recorded_at: Instant = Field(description="When Hartline noticed.")
    synthetic: bool = False

    @property
    def subject(self) -> str:
        return self.call_id
