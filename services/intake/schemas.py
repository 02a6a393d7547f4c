"""HTTP bodies of intake. Everything beside what is required may be left out: a caller may not know.

The parts are in `fields` (text, times, codes), `people` and `places`.
"""

from typing import Annotated

from pydantic import Field

from services.intake.codes import OneOf, Sex, SourceType
from services.intake.fields import (
    Body,
    Cited,
    Day,
    Long,
    Moment,
    PersonRef,
    PersonRoles,
    ProfileName,
    RaceEthnicity,
    Reason,
    Said,
    Short,
    State,
    Venues,
    Years,
)
from services.intake.people import Implicated, Parent, Reporter, Sibling, SuspectedPerson
from services.intake.places import IncidentPlace
from shared.contracts.base import OpaqueId
from shared.contracts.codes import HtType, Trigger

__all__ = [
    "AmendedReferral",
    "Body",
    "Child",
    "Day",
    "Implicated",
    "IncidentPlace",
    "KnownChild",
    "Long",
    "Moment",
    "NewReferral",
    "NiemRequest",
    "Parent",
    "ProfileName",
    "ProjectionRequest",
    "Reason",
    "Reporter",
    "Said",
    "Short",
    "Sibling",
    "SuspectedPerson",
]


class Child(Body):
    """One child: CGS 17a-101d, and what policy 21-14 asks the Careline to capture."""

    name: Short | None = None
    date_of_birth: Day | None = None
    age_years: Years | None = None
    sex: Sex | None = None
    race_ethnicity: RaceEthnicity = Field(default=[])
    person_ref: PersonRef | None = None
    person_roles: PersonRoles = Field(default=[])

    residence_address: Short | None = None
    residence_town: Short | None = None
    residence_state: State | None = None
    address_confidential: bool = False
    """Takes part in the Address Confidentiality Program (CGS 54-240a)."""
    substitute_address: Short | None = None

    incident_towns: list[Short] = Field(default=[], max_length=20)
    incident_places: list[IncidentPlace] = Field(default=[], max_length=20)
    current_location: Long | None = None
    whereabouts_known: bool | None = None
    missing_from_care: bool | None = None
    missing_since: Moment | None = None
    travel_authorized: bool | None = None
    """Of a child of Connecticut that is in another state: whether the Department or a guardian has
    authorised it (policy 21-14, CGS 17a-175)."""

    care_status: Annotated[str, OneOf("care_status")] | None = None
    facility: Short | None = None
    """The congregate setting or foster home, by name."""
    residence_at_exploitation: Annotated[str, OneOf("residence_at_exploitation")] | None = None
    foreign_national: bool | None = None
    indian_child: bool | None = None
    """May be an Indian child (25 USC 1903; PA 22-60)."""
    parents: list[Parent] = Field(default=[], max_length=10)
    siblings: list[Sibling] = Field(default=[], max_length=20)

    ht_type: HtType
    venues: Venues = Field(default=[])
    victimised_on: Day | None = None
    age_at_victimisation: Years | None = None
    age_band: Annotated[str, OneOf("age_band")] | None = None
    reasons_for_suspicion: Said
    nature_and_extent: Long | None = None
    incident_at_text: Long | None = None
    previous_injuries: Long | None = None
    prior_cases: Long | None = None
    how_known: Long | None = None
    """How it came to be known; as good as the reporter's name."""
    action_taken: Long | None = None
    suspected_persons: list[SuspectedPerson] = Field(default=[], max_length=20)
    officer_safety_notes: Long | None = None
    other_concerns: Long | None = None


class KnownChild(Child):
    """A child in an amended referral: known by its id, or new and without one."""

    child_id: OpaqueId | None = None


class _Referral(Body):
    trigger: Trigger
    received_at: Moment
    source_type: SourceType
    synthetic: bool = False
    reporter: Reporter
    ht_characteristics: bool | None = None
    """Shows characteristics of trafficking, for tracking; says nothing of acceptance (21-14)."""
    case_number: Short | None = None
    """Of the open case, when there is one."""
    implicated: list[Implicated] = Field(default=[], max_length=10)


class NewReferral(_Referral):
    """What the Careline's phone system, or an ongoing worker's system, sends."""

    children: list[Child] = Field(min_length=1, max_length=20)


class AmendedReferral(_Referral):
    """A referral after a merge patch, as a whole."""

    children: list[KnownChild] = Field(min_length=1, max_length=20)


class ProjectionRequest(Body):
    """What a service asks for, and by what right; both are recorded before it is answered."""

    profiles: list[ProfileName] = Field(min_length=1, max_length=16)
    purpose: Reason
    authority: Reason


class Wanted(Body):
    """One version of a referral, and as whom it is asked for."""

    referral_id: OpaqueId
    version: int = Field(ge=1)
    profiles: list[ProfileName] = Field(min_length=1, max_length=16)


class ProjectionsRequest(Body):
    """Several versions at once, by one right."""

    wanted: list[Wanted] = Field(min_length=1, max_length=64)
    purpose: Reason
    authority: Reason


class NiemRequest(Body):
    """Who asks for the NIEM view: as which profile, why, and by what right."""

    profile: ProfileName
    purpose: Annotated[str, OneOf("reading_purpose")]
    authority: Cited
