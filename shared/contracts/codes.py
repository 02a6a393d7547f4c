"""Code lists that travel in events."""

from enum import StrEnum


class HtType(StrEnum):
    """Type of human trafficking alleged, by the rows of the 2018 DCF presentation (seed S4)."""

    SEX = "sex"
    LABOR = "labor"
    SEX_AND_LABOR = "sex_and_labor"
    OTHER = "other"


class Trigger(StrEnum):
    """What set the DCF-737 in motion. The two have two recipient lists (policy 21-14)."""

    CARELINE = "careline"
    ONGOING_WORKER = "ongoing_worker"


class Role(StrEnum):
    """The part a recipient plays in a route."""

    LOCAL_LAW_ENFORCEMENT = "local_law_enforcement"
    HART_LEAD_STATEWIDE = "hart_lead_statewide"
    HART_DIRECTOR = "hart_director"
    FBI = "fbi"
    CHIEF_STATES_ATTORNEY = "chief_states_attorney"
    MDT = "mdt"
    REGIONAL_OFFICE = "regional_office"
    SIU = "siu"
    """Special Investigative Unit, where the department's own are implicated."""
    INTERSTATE_COMPACT = "interstate_compact"
    ELIGIBILITY_COORDINATOR = "eligibility_coordinator"
    NCMEC = "ncmec"
    LICENSING = "licensing"
    EDUCATION = "education"


class NoticeKind(StrEnum):
    """What a notice is to its recipient."""

    ORIGINAL = "original"
    CORRECTION = "correction"
    SUPERSESSION = "supersession"
    """Content-free: "you hold an outdated version and are no longer in the route"."""


class Channel(StrEnum):
    """How a notice travels. Plaintext is not a channel."""

    ENCRYPTED = "encrypted"


class RefusalReason(StrEnum):
    """Why nothing is sent to a recipient (P3)."""

    NO_AUTHORITY_ON_FILE = "no_authority_on_file"
    AUTHORITY_NOT_YET_IN_FORCE = "authority_not_yet_in_force"
    AUTHORITY_EXPIRED = "authority_expired"
    NO_ENCRYPTION_KEY = "no_encryption_key"
    NO_AGENCY_FOR_ROLE = "no_agency_for_role"
