"""What a referral holds, as types. docs/openapi/intake.json says more, and a test compares."""

from typing import Any, NotRequired, TypedDict


class Reporter(TypedDict):
    anonymous: bool
    name: NotRequired[str]
    phone: NotRequired[str]
    address: NotRequired[str]
    relationship: NotRequired[str]
    organisation: NotRequired[str]
    position: NotRequired[str]
    mandated: NotRequired[bool]
    confidential: NotRequired[bool]
    same_as: NotRequired[str]
    person_roles: NotRequired[list[str]]


class IncidentPlace(TypedDict):
    kind: str
    town: NotRequired[str]
    district: NotRequired[str]
    nation: NotRequired[str]
    state: NotRequired[str]
    country: NotRequired[str]
    occurred_at: NotRequired[str]
    description: NotRequired[str]


class SuspectedPerson(TypedDict, total=False):
    name: str
    description: str
    relationship: str
    age_years: int
    address: str
    phone: str
    same_as: str
    person_roles: list[str]


class Parent(TypedDict, total=False):
    name: str
    address: str
    phone: str
    relationship: str
    person_roles: list[str]


class Sibling(TypedDict, total=False):
    name: str
    date_of_birth: str
    age_years: int
    relationship: str


class Implicated(TypedDict):
    kind: str
    agency: NotRequired[str]
    name: NotRequired[str]
    position: NotRequired[str]
    notes: NotRequired[str]


class Child(TypedDict):
    ht_type: str
    reasons_for_suspicion: str
    name: NotRequired[str]
    date_of_birth: NotRequired[str]
    age_years: NotRequired[int]
    sex: NotRequired[str]
    race_ethnicity: NotRequired[list[str]]
    person_ref: NotRequired[str]
    person_roles: NotRequired[list[str]]
    residence_address: NotRequired[str]
    residence_town: NotRequired[str]
    residence_state: NotRequired[str]
    address_confidential: NotRequired[bool]
    substitute_address: NotRequired[str]
    incident_towns: NotRequired[list[str]]
    incident_places: NotRequired[list[IncidentPlace]]
    current_location: NotRequired[str]
    whereabouts_known: NotRequired[bool]
    missing_from_care: NotRequired[bool]
    missing_since: NotRequired[str]
    travel_authorized: NotRequired[bool]
    care_status: NotRequired[str]
    facility: NotRequired[str]
    residence_at_exploitation: NotRequired[str]
    foreign_national: NotRequired[bool]
    indian_child: NotRequired[bool]
    parents: NotRequired[list[Parent]]
    siblings: NotRequired[list[Sibling]]
    venues: NotRequired[list[str]]
    victimised_on: NotRequired[str]
    age_at_victimisation: NotRequired[int]
    age_band: NotRequired[str]
    nature_and_extent: NotRequired[str]
    incident_at_text: NotRequired[str]
    previous_injuries: NotRequired[str]
    prior_cases: NotRequired[str]
    how_known: NotRequired[str]
    action_taken: NotRequired[str]
    suspected_persons: NotRequired[list[SuspectedPerson]]
    officer_safety_notes: NotRequired[str]
    other_concerns: NotRequired[str]


class NewReferral(TypedDict):
    """A referral. Times are RFC 3339 with an offset, days `2012-04-30`, codes of the code lists."""

    trigger: str
    received_at: str
    source_type: str
    reporter: Reporter
    children: list[Child]
    synthetic: NotRequired[bool]
    ht_characteristics: NotRequired[bool]
    case_number: NotRequired[str]
    implicated: NotRequired[list[Implicated]]


TYPES: dict[str, Any] = {
    each.__name__: each
    for each in (
        NewReferral,
        Child,
        Reporter,
        IncidentPlace,
        SuspectedPerson,
        Parent,
        Sibling,
        Implicated,
    )
}
"""By their names in the document."""
