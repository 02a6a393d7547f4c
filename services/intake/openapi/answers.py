"""The JSON of the answers, for the document. The routes write it by hand; a test compares.

A client must take members that it does not know: they grow by addition.
"""

from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.intake.calls.drafts import Standing
from shared.contracts.base import OpaqueId
from shared.contracts.codes import Acceptance, Relation, Trigger, WithdrawalCause


class Answer(BaseModel):
    """Members may be added."""

    model_config = ConfigDict(extra="allow")


class ChildId(Answer):
    child_id: OpaqueId


class ReferralStatus(Answer):
    """How a referral stands: ids, version and times, never content."""

    referral_id: OpaqueId
    number: str = Field(pattern=r"^HL-[0-9A-Z]{4}-[0-9A-Z]{4}$")
    version: int
    received_at: AwareDatetime
    recorded_at: AwareDatetime
    backdated: bool
    children: list[ChildId]
    links: dict[str, str]


class CallStatus(Answer):
    """How a call stands, never what was typed."""

    call_id: OpaqueId
    standing: Standing
    version: int
    received_at: AwareDatetime
    recorded_at: AwareDatetime
    saved_at: AwareDatetime
    backdated: bool
    links: dict[str, str]


class TypedSoFar(Answer):
    """What was typed in a call."""

    call_id: OpaqueId
    version: int
    received_at: AwareDatetime
    draft: dict[str, Any]


class ListedCode(Answer):
    code: str
    label: str
    town: str | None = None


class CodeList(Answer):
    name: str
    source: str
    codes: list[ListedCode]


class CodeLists(Answer):
    """Every code that a referral may use. Codes are added, never removed."""

    version: str
    lists: list[CodeList]


class Projections(Answer):
    """One version, each child as each of the profiles may see it."""

    referral_id: OpaqueId
    number: str
    version: int
    trigger: Trigger
    received_at: AwareDatetime
    synthetic: bool
    children: list[dict[str, Any]]
    shredded: list[OpaqueId] = Field([], description="Children whose content was destroyed.")


class ProjectionsTogether(Answer):
    """In the order asked for; null for what is not there, or whose content is destroyed."""

    projections: list[Projections | None]


class NiemView(Answer):
    """One version under NIEM 6.0's names; `@context` says what they are."""


class LinkAnswer(Answer):
    link_id: OpaqueId
    referral_id: OpaqueId
    related_referral_id: OpaqueId
    relation: Relation
    recorded_at: AwareDatetime
    linked_by: str


class Links(Answer):
    links: list[LinkAnswer]


class Decision(Answer):
    """One of a referral's decisions, by its number; the last one holds."""

    decision: int
    outcome: Acceptance
    reasons: list[str]
    version: int
    decided_at: AwareDatetime
    recorded_at: AwareDatetime
    decided_by: str


class IncidentStatus(Answer):
    """How a form DCF-823 stands."""

    incident_id: OpaqueId
    child_id: OpaqueId
    version: int
    standing: str


class Withdrawal(Answer):
    cause: WithdrawalCause
    version: int
    recorded_at: AwareDatetime
    withdrawn_by: str


class DecisionFile(Answer):
    """Decisions, forms DCF-823 and withdrawal: codes, ids, who and when."""

    decisions: list[Decision]
    critical_incidents: list[IncidentStatus]
    withdrawal: Withdrawal | None


class DecisionReading(Answer):
    """Reasons in words and form DCF-823."""

    referral_id: OpaqueId
    number: str
    children: list[dict[str, Any]]


class Candidates(Answer):
    """Children of two referrals who may be one."""

    candidates: list[dict[str, Any]]


class SamenessKept(Answer):
    same: bool
    children: list[dict[str, Any]]
