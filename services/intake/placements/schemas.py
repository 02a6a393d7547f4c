"""HTTP bodies of placements and repatriations."""

from enum import StrEnum

from pydantic import Field

from services.intake.placements.gate import Finding
from services.intake.schemas import Body, Moment, Said, Short
from shared.contracts.base import OpaqueId


class TellableField(StrEnum):
    """What a facility is told by word of mouth."""

    VICTIM_STATUS = "victim_status"
    SAFETY_NEEDS = "safety_needs"
    MEDICAL_NEEDS = "medical_needs"


class NewPlacement(Body):
    """A child is to be placed in specialised care."""

    referral_id: OpaqueId
    child_id: OpaqueId
    facility: Short = Field(min_length=1)
    facility_implicated: bool = False


class Telling(Body):
    """Somebody of the facility was told, with the confidentiality warning, by the caller."""

    told: Short = Field(min_length=1)
    position: Short | None = None
    fields: list[TellableField] = Field(min_length=1, max_length=3)
    told_at: Moment | None = None
    warning_read: bool


class Confirmation(Body):
    """No content: `{}`."""


class NewDetermination(Body):
    """One of the two questions, answered with reasons."""

    referral_id: OpaqueId
    child_id: OpaqueId
    finding: Finding
    holds: bool
    reasons: Said


class NewRepatriation(Body):
    """A repatriation that both determinations permit."""

    referral_id: OpaqueId
    child_id: OpaqueId
