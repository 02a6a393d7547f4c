"""Topic `disclosures`, emitted by whoever discloses; subject: the referral, or the call.

`DisclosuresAttempted`, `ReferralViewed` and `RecordViewed` are the records that promise P2 commits
before the first byte leaves; the audit service sequences them into its log.
"""

from typing import ClassVar, Literal

from pydantic import Field

from shared.contracts.base import EventData, Instant, Name, OpaqueId, Part, ReferralData, Topic
from shared.contracts.codes import Channel, RefusalReason, Role

Hex256 = str
"""64 lower-case hex digits."""


class Attempt(Part):
    """One attempt to disclose one notice to one recipient."""

    disclosure_id: OpaqueId
    notice_id: OpaqueId
    child_id: OpaqueId
    agency_id: OpaqueId
    role: Role
    version: int = Field(ge=1)
    channel: Channel
    authority: str = Field(description="Citation of the law that permits this disclosure.")
    purpose: str
    rule: str = Field(description="Id of the routing rule that chose this recipient.")
    rules_version: str
    directory_version: int
    fields: tuple[str, ...] = Field(description="Names of the fields disclosed, never values.")
    commitment: Hex256 = Field(description="HMAC-SHA256 over the content, under notify's key.")
    attempted_at: Instant
    actor: str | None = Field(
        None, description="Of a notice opened in the mailbox: token subject of the person."
    )


class DisclosuresAttempted(ReferralData):
    """Committed before departure. Alone it says: attempted, outcome unknown (P2)."""

    topic: ClassVar[Topic] = Topic.DISCLOSURES
    type: ClassVar[str] = "hartline.disclosures.attempted.v1"

    attempts: tuple[Attempt, ...] = Field(min_length=1)


class Outcome(Part):
    disclosure_id: OpaqueId
    notice_id: OpaqueId
    child_id: OpaqueId
    occurred_at: Instant
    http_status: int | None = None


class _Outcomes(ReferralData):
    topic: ClassVar[Topic] = Topic.DISCLOSURES

    outcomes: tuple[Outcome, ...] = Field(min_length=1)


class DisclosuresCompleted(_Outcomes):
    """An HTTP status came back. Any status counts as disclosed."""

    type: ClassVar[str] = "hartline.disclosures.completed.v1"


class DisclosuresFailed(_Outcomes):
    """Not sent: not one byte of HTTP was written."""

    type: ClassVar[str] = "hartline.disclosures.failed.v1"


class DisclosuresUnknown(_Outcomes):
    """It may have been sent; nobody can say. Counts as disclosed."""

    type: ClassVar[str] = "hartline.disclosures.unknown.v1"


class RefusedDisclosure(Part):
    notice_id: OpaqueId
    child_id: OpaqueId
    agency_id: OpaqueId | None
    role: Role
    version: int = Field(ge=1)
    reason: RefusalReason
    refused_at: Instant


class DisclosuresRefused(ReferralData):
    """A disclosure that the law did not permit and that did not happen."""

    topic: ClassVar[Topic] = Topic.DISCLOSURES
    type: ClassVar[str] = "hartline.disclosures.refused.v1"

    refused: tuple[RefusedDisclosure, ...] = Field(min_length=1)


class ReferralViewed(ReferralData):
    """A read of a referral's content, by a person or a service, recorded before its first byte."""

    topic: ClassVar[Topic] = Topic.DISCLOSURES
    type: ClassVar[str] = "hartline.disclosures.viewed.v1"

    disclosure_id: OpaqueId
    version: int = Field(ge=1)
    child_ids: tuple[OpaqueId, ...] = Field(min_length=1)
    actor: str = Field(description="Subject of the reader's token.")
    actor_kind: Literal["service", "person"]
    authority: str
    purpose: str
    fields: tuple[str, ...]
    commitment: Hex256
    viewed_at: Instant


class CallViewed(EventData):
    """A read of what was typed during a call, recorded before its first byte."""

    topic: ClassVar[Topic] = Topic.DISCLOSURES
    type: ClassVar[str] = "hartline.disclosures.call_viewed.v1"

    call_id: OpaqueId
    disclosure_id: OpaqueId
    version: int = Field(ge=1)
    actor: str = Field(description="Subject of the reader's token.")
    actor_kind: Literal["service", "person"]
    authority: str
    purpose: str
    fields: tuple[str, ...]
    commitment: Hex256
    viewed_at: Instant

    @property
    def subject(self) -> str:
        return self.call_id


class ToldOrally(ReferralData):
    """A person told somebody something of a child by word of mouth, and says so."""

    topic: ClassVar[Topic] = Topic.DISCLOSURES
    type: ClassVar[str] = "hartline.disclosures.oral.v1"

    disclosure_id: OpaqueId
    version: int = Field(ge=1, description="Version of the referral at the time of recording.")
    child_ids: tuple[OpaqueId, ...] = Field(min_length=1)
    recipient_id: OpaqueId = Field(
        description="What its emitter keeps the recipient's name under, such as a placement."
    )
    actor: str = Field(description="Token subject of who told it.")
    authority: str
    purpose: str
    fields: tuple[str, ...]
    commitment: Hex256 = Field(description="Over what was told and to whom.")
    occurred_at: Instant
    recorded_at: Instant


class RecordViewed(EventData):
    """A person's read of a record that belongs to no referral, recorded before its first byte.

    Its subject is the record, whose id does not say what kind of record it is.
    """

    topic: ClassVar[Topic] = Topic.DISCLOSURES
    type: ClassVar[str] = "hartline.disclosures.record_viewed.v1"

    record_id: OpaqueId
    disclosure_id: OpaqueId
    actor: str
    authority: str
    purpose: str
    fields: tuple[str, ...]
    commitment: Hex256
    viewed_at: Instant

    @property
    def subject(self) -> str:
        return self.record_id


class StatisticsExported(EventData):
    """Exact figures left intake, or were read, recorded before the first byte.

    Its subject is the export; it names no referral and no child.
    """

    topic: ClassVar[Topic] = Topic.DISCLOSURES
    type: ClassVar[str] = "hartline.disclosures.exported.v1"

    export_id: OpaqueId
    disclosure_id: OpaqueId
    kind: Name = Field(description="What was exported: exact_tables, ncands_yearly, hart_monthly.")
    actor: str = Field(description="Subject of the token of who got it.")
    actor_kind: Literal["service", "person"]
    approved_by: str | None = Field(
        description="Token subject of the second person, if it took one."
    )
    authority: str
    purpose: str
    fields: tuple[str, ...] = Field(description="Names of the tables, never figures.")
    commitment: Hex256
    exported_at: Instant

    @property
    def subject(self) -> str:
        return self.export_id
