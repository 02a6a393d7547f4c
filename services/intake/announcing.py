"""The events of a referral's versions: ids, types, versions and times, never content (P5)."""

from collections.abc import Sequence

from services.intake.records import Version
from services.intake.referrals import Identified
from shared.contracts.codes import Trigger
from shared.contracts.referrals import ReferralAmended, ReferralChild, ReferralReceived


def announcement(
    version: Version, children: Sequence[Identified]
) -> ReferralReceived | ReferralAmended:
    """What the others are told of a version: received, if it is the first, otherwise amended."""
    event = ReferralReceived if version.version == 1 else ReferralAmended
    return event(
        referral_id=version.referral_id,
        version=version.version,
        trigger=Trigger(version.trigger),
        received_at=version.received_at,
        recorded_at=version.recorded_at,
        children=tuple(
            ReferralChild(child_id=child_id, ht_type=child.ht_type) for child_id, child in children
        ),
        synthetic=version.synthetic,
    )
