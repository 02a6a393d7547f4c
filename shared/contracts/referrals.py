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


class SameChild(Part):
    """A child of the referral, and the child of the related one that it is."""

    child_id: OpaqueId
    related_child_id: OpaqueId


class ReferralLinked(ReferralData):
    """A referral was linked to another one, which stays a referral of its own."""

    topic: ClassVar[Topic] = Topic.REFERRALS
    type: ClassVar[str] = "hartline.referral.linked.v1"

    related_referral_id: OpaqueId
    relation: Relation
    recorded_at: Instant
    same: tuple[SameChild, ...] = Field(
        default=(), description="Of same_child: who is whom. Empty: not known."
    )
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


class MajorityNear(ReferralData):
    """A child of this referral turns 18 by the end of next month, and HHS must have been asked by
    then (22 USC 7105(b)(1)). Once per child and date of birth. No event says on which day."""

    topic: ClassVar[Topic] = Topic.REFERRALS
    type: ClassVar[str] = "hartline.referral.majority_near.v1"

    child_id: OpaqueId
    noticed_at: Instant


class _OfConsult(ReferralData):
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

    flag_id: OpaqueId
    flagged_at: Instant
    discovered_at: Instant

    @property
    def subject(self) -> str:
        return self.flag_id
