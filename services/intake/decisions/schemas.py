"""HTTP bodies of decisions, form DCF-823, withdrawals and links."""

from typing import Annotated

from pydantic import Field

from services.intake.codes import OneOf
from services.intake.decisions.codes import DecisionReason, IncidentType
from services.intake.fields import Cited
from services.intake.schemas import Body, Long, Moment, Said, Short
from shared.contracts.base import OpaqueId
from shared.contracts.codes import Acceptance, Relation, WithdrawalCause


class Told(Body):
    """One of the chain that was notified of a critical incident."""

    who: Short
    told_at: Moment | None = None


class Incident(Body):
    """Form DCF-823, at least: DOMAIN A2. Number, child, author and times are known beside it."""

    incident_type: IncidentType = IncidentType.HUMAN_TRAFFICKING
    incident_at_text: Long | None = None
    legal_status: Short | None = None
    placement: Short | None = None
    narrative: Long | None = None
    notified_chain: list[Told] = Field(default=[], max_length=30)


class ChildIncident(Incident):
    """What is known for form DCF-823 of one child when the referral is accepted."""

    child_id: OpaqueId


class NewDecision(Body):
    """Accept or not accept. `follows` is the number of the decision it comes after; 0: none."""

    outcome: Acceptance
    reasons: list[DecisionReason] = Field(min_length=1, max_length=9)
    explanation: Said | None = None
    follows: int = Field(ge=0, le=1_000_000)
    decided_at: Moment | None = None
    critical_incidents: list[ChildIncident] = Field(default=[], max_length=20)


class NewWithdrawal(Body):
    cause: WithdrawalCause
    explanation: Said | None = None


class NewLink(Body):
    related_referral_id: OpaqueId
    relation: Relation


class Reading(Body):
    """Why somebody reads the reasons in words, and by what right; both are recorded first (P2)."""

    purpose: Annotated[str, OneOf("reading_purpose")]
    authority: Cited
