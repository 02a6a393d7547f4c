"""Topic `referrals`, emitted by intake; subject: the referral."""

from typing import ClassVar

from pydantic import Field

from shared.contracts.base import EventData, Instant, OpaqueId, Part, Topic
from shared.contracts.codes import HtType, Trigger


class ReferralChild(Part):
    """A child of a referral, by opaque id, and the type of trafficking alleged."""

    child_id: OpaqueId
    ht_type: HtType


class _ReferralVersion(EventData):
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
