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


class Acceptance(StrEnum):
    """What the Careline decided on a referral by the Operational Definitions (policy 22-3)."""

    ACCEPTED = "accepted"
    NOT_ACCEPTED = "not_accepted"


class WithdrawalCause(StrEnum):
    """Why a referral is withdrawn. Our list; CGS 17a-103 knows the knowingly false report."""

    FALSE_REPORT = "false_report"
    """Held to be knowingly false. Naming its reporter is a disclosure with an authority of its
    own (CGS 17a-103) and does not follow from this."""
    MISTAKEN_REPORT = "mistaken_report"
    """Made in good faith, and what it says is not so."""
    ENTERED_IN_ERROR = "entered_in_error"
    """Nobody reported it: a slip, or a training record."""


class Relation(StrEnum):
    """How one referral is related to another. Our list, read from policy 21-14."""

    SAME_FACTS = "same_facts"
    """An ongoing worker's DCF-737 and the Careline's own speak of the same facts."""
    NEW_ALLEGATION = "new_allegation"
    """A worker on an open case has told the Careline of a new allegation."""
    SAME_CHILD = "same_child"
    SIBLING = "sibling"
    SAME_OPERATION = "same_operation"
    """The same traffickers or the same place."""
    OTHER = "other"


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


class Stage(StrEnum):
    """When in a referral's life a rule tells somebody. Each is a plan of its own."""

    RECEIVED = "received"
    """At once, whatever is decided later."""
    ACCEPTED = "accepted"
    CONSULT_SHARED = "consult_shared"
    """HART's outcome is shared with the team."""
    WITHDRAWN = "withdrawn"
    """No rule has it: whoever holds a notice, or is still to get one, hears of the withdrawal."""


class NoticeKind(StrEnum):
    """What a notice is to its recipient."""

    ORIGINAL = "original"
    CORRECTION = "correction"
    SUPERSESSION = "supersession"
    """Content-free: "you hold an outdated version and are no longer in the route"."""
    WITHDRAWAL = "withdrawal"
    """The referral was withdrawn, and why by its code; whoever may hold a version hears of it."""
    RECALL = "recall"
    """Content-free: "this was not meant for you": asks for the misdirected notice back."""
    CONSULT_OUTCOME = "consult_outcome"
    RELATED = "related_notice"
    """Says that this referral speaks of the same facts as another that the recipient holds."""


class Channel(StrEnum):
    """How a notice travels. Plaintext is not a channel."""

    ENCRYPTED = "encrypted"
    """A webhook whose body only the recipient can read."""
    PICKUP = "pickup"
    """A webhook without content: a notice waits in the mailbox. Tells nothing of a child."""
    EMAIL = "email"
    """The same by mail. Tells nothing of a child."""
    MAILBOX = "mailbox"
    """A person of the recipient's opened it there: that is the disclosure."""
    ORAL = "oral"
    """Told by word of mouth, with the warning read, and entered by who told it."""


class RefusalReason(StrEnum):
    """Why nothing is sent to a recipient (P3)."""

    NO_AUTHORITY_ON_FILE = "no_authority_on_file"
    AUTHORITY_NOT_YET_IN_FORCE = "authority_not_yet_in_force"
    AUTHORITY_EXPIRED = "authority_expired"
    NO_ENCRYPTION_KEY = "no_encryption_key"
    NO_AGENCY_FOR_ROLE = "no_agency_for_role"


class Desk(StrEnum):
    """Who of the department answers for a duty, is warned, or hears of a breach: never a name."""

    CARELINE = "careline"
    CARELINE_SUPERVISOR = "careline_supervisor"
    HART_DIRECTOR = "hart_director"
    HART_LEAD = "hart_lead"
    HART_LIAISON = "hart_liaison"
    INTERSTATE_COMPACT = "interstate_compact"
    ELIGIBILITY_COORDINATOR = "eligibility_coordinator"
    COMPLIANCE = "compliance"
