"""Code lists of a referral that stay inside intake and the copies it makes."""

from enum import StrEnum


class SourceType(StrEnum):
    """Who the report came from: seeds S0 and S2, the mandated reporters of CGS 17a-101, other."""

    DCF_SOCIAL_WORKER = "dcf_social_worker"
    LAW_ENFORCEMENT = "law_enforcement"
    LAW_ENFORCEMENT_ARREST = "law_enforcement_arrest"
    """An officer's report after an arrest under CGS 53a-82 (PA 11-180)."""
    EMS = "ems"
    CONGREGATE_CARE = "congregate_care"
    COURT = "court"
    PUBLIC_DEFENDER = "public_defender"
    NGO = "ngo"
    SCHOOL = "school"
    MEDICAL = "medical"
    MENTAL_HEALTH = "mental_health"
    FAMILY = "family"
    SELF_REPORT = "self_report"
    OTHER = "other"


class Sex(StrEnum):
    """As form DCF-136 asks for it, and what a caller may not know."""

    FEMALE = "female"
    MALE = "male"
    OTHER = "other"
    UNKNOWN = "unknown"
