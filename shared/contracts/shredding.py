"""The destruction of one child's content: ordered by two people at audit, done by every holder.

Why it was ordered is in no event: an adoption, or an erased record, betrays somebody (P5).
"""

from typing import ClassVar

from shared.contracts.base import Instant, OpaqueId, ReferralData, Source, Topic

HOLDERS = (Source.INTAKE, Source.NOTIFY)
"""Who holds content of a child, sealed under that child's key, and must confirm."""


class ShredOrdered(ReferralData):
    """Whoever holds content of this child destroys its key. Intake has done so already."""

    topic: ClassVar[Topic] = Topic.REFERRALS
    type: ClassVar[str] = "hartline.referral.shred_ordered.v1"

    shredding_id: OpaqueId
    child_id: OpaqueId
    ordered_at: Instant


class ContentShredded(ReferralData):
    """Its emitter holds nothing of this child's content that anybody could open."""

    topic: ClassVar[Topic] = Topic.DISCLOSURES
    type: ClassVar[str] = "hartline.disclosures.shredded.v1"

    shredding_id: OpaqueId
    child_id: OpaqueId
    shredded_at: Instant
