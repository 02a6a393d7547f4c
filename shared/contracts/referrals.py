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


class _OfConsult(EventData):
    """A step of a HART consult on one child. The Decision Map level is in no event."""

    topic: ClassVar[Topic] = Topic.REFERRALS

    consult_id: OpaqueId
    child_id: OpaqueId
    recorded_at: Instant = Field(description="When Hartline recorded this step.")


class ConsultRequested(_OfConsult):
    """Somebody asked for a HART consult: the first one starts it, later ones join it (C30)."""

    type: ClassVar[str] = "hartline.referral.consult_requested.v1"

    request_id: OpaqueId
    requested_at: Instant
    started_at: Instant = Field(
        description="The earliest request of this consult: the basis of the 72 hours. An earlier "
        "one that becomes known later moves it back."
    )


class ConsultCompleted(_OfConsult):
    """The HART Liaison gave a Decision Map level: ends the 72 hours, starts the five days."""

    type: ClassVar[str] = "hartline.referral.consult_completed.v1"

    completed_at: Instant


class VictimIdentified(_OfConsult):
    """The level confirms a victim: the federal 24 hours start (42 USC 671(a)(34)(A)).

    A later consult that confirms it again says so again; the earliest counts.
    """

    type: ClassVar[str] = "hartline.referral.identified.v1"

    identified_at: Instant


class ConsultEntered(_OfConsult):
    """The consult stands in the case system: ends the five days."""

    type: ClassVar[str] = "hartline.referral.consult_entered.v1"

    entered_at: Instant


class ConsultShareRequested(_OfConsult):
    """The outcome of a consult is to be shared with the MDT (policy 21-14): notify acts on it."""

    type: ClassVar[str] = "hartline.referral.consult_share_requested.v1"

    share_id: OpaqueId
    requested_at: Instant


class CaseFlagged(EventData):
    """An open case is flagged for trafficking and still has no DCF-737 (policy 21-14).

    Emitted once for each flag; its subject is the flag. Which case it is, intake knows.
    """

    topic: ClassVar[Topic] = Topic.REFERRALS
    type: ClassVar[str] = "hartline.referral.case_flagged.v1"

    referral_id: OpaqueId | None = None  # type: ignore[assignment]
    flag_id: OpaqueId
    flagged_at: Instant
    discovered_at: Instant

    @property
    def subject(self) -> str:
        return self.flag_id
