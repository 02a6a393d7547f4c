"""What stands where on a printed form. A test holds every field of a child to one place."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.notify.forms.kinds import FormKind

TITLES: Mapping[str, str] = {
    "DCF-737": "Notice of alleged human trafficking of a child",
    "DCF-823": "Exceptional circumstance: critical incident",
}

STATEMENTS: Mapping[FormKind, tuple[str, str]] = {
    FormKind.ORIGINAL: ("Original notice", ""),
    FormKind.CORRECTION: (
        "Corrected notice",
        "Replaces version {supersedes} as a whole. Use this version only.",
    ),
    FormKind.SUPERSESSION: (
        "Out of date",
        "What you hold under this referral number, up to version {supersedes}, is out of date, and "
        "you are no longer a recipient. There is no further content. You are not asked to destroy "
        "what you hold: ask DCF.",
    ),
    FormKind.WITHDRAWAL: (
        "Withdrawn",
        "This referral is withdrawn, for the reason below. Do not act on what you hold under its "
        "number. You are not asked to destroy what you hold: ask DCF.",
    ),
    FormKind.RECALL: (
        "Recalled: sent to you by mistake",
        "The notice named below was not meant for you. Do not use, copy or pass on anything in "
        "it. Set it apart, and call DCF about its return.",
    ),
    FormKind.CONSULT_OUTCOME: ("Outcome of a HART consult", ""),
    FormKind.RELATED_NOTICE: (
        "Related notice",
        "You hold two notices of one matter: this referral and the one named below. How they are "
        "related stands there. Both stay as they were sent; nothing is added to either.",
    ),
}
"""Heading and statement."""


@dataclass(frozen=True, slots=True)
class Section:
    """`short` fields stand in two columns, `long` ones below them, over the whole width."""

    title: str
    short: tuple[str, ...]
    long: tuple[str, ...]


SECTIONS = (
    Section(
        "The child",
        (
            "name",
            "date_of_birth",
            "age_years",
            "sex",
            "race_ethnicity",
            "person_roles",
            "indian_child",
            "foreign_national",
            "case_number",
            "residence_address",
            "residence_town",
            "residence_state",
            "address_confidential",
            "care_status",
            "facility",
            "whereabouts_known",
            "missing_from_care",
            "missing_since",
            "travel_authorized",
        ),
        ("current_location",),
    ),
    Section("People", (), ("suspected_persons", "suspected_minor_victims", "parents")),
    Section(
        "What is alleged",
        (
            "ht_type",
            "ht_characteristics",
            "venues",
            "source_type",
            "incident_towns",
            "victimised_on",
            "age_at_victimisation",
            "age_band",
            "residence_at_exploitation",
        ),
        (
            "incident_places",
            "incident_at_text",
            "reasons_for_suspicion",
            "nature_and_extent",
            "previous_injuries",
            "prior_cases",
            "action_taken",
            "other_concerns",
        ),
    ),
)
SAFETY = "officer_safety_notes"
"""Stands above everything else of the child, in a box."""

NOT_PRINTED: Mapping[str, str] = {
    "padding": "fills the plaintext up to a multiple of 4,096 bytes",
    "changes.field": "printed as the field's title",
}
"""Members of the form that are on no page, and why."""

SUBSTITUTE = (
    "Yes (Address Confidentiality Program). Any address shown is the substitute; the real one is "
    "not in this notice."
)
UNSTATED = (
    "What is not on this form is either not known or not for its recipient. "
    "Times are Connecticut's."
)
NUMBERED = (
    "[U+…] stands for a character that this printer has no type for; the electronic form holds it."
)
