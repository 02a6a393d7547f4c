"""What a form may say of one child. Everything may be missing: not known, or not for the recipient.

Statutory contents of a report (CGS 17a-101d), form DCF-136, and what policy 21-14 adds. Codes are
those that intake lists; they are not repeated here, for a list may grow.
"""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class Part(BaseModel):
    """Receivers ignore members that they do not know, so these models allow them."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)


Text = Annotated[str, Field(min_length=1)]
Texts = Annotated[list[Text], Field(min_length=1)]
Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", json_schema_extra={"format": "date"})]
Moment = Annotated[AwareDatetime, Field(strict=False)]
Years = Annotated[int, Field(ge=0, le=120)]


class Place(Part):
    """Where an incident happened."""

    kind: Text | None = Field(None, title="Kind")
    town: Text | None = Field(None, title="Town")
    district: Text | None = Field(None, title="District")
    nation: Text | None = Field(None, title="Tribal nation")
    state: Text | None = Field(None, title="State")
    country: Text | None = Field(None, title="Country")
    occurred_at: Moment | None = Field(None, title="When")
    description: Text | None = Field(None, title="Description")


class Person(Part):
    """A parent, or whoever is responsible for the child."""

    name: Text | None = Field(None, title="Name")
    relationship: Text | None = Field(None, title="Relationship")
    person_roles: Texts | None = Field(None, title="Roles")
    address: Text | None = Field(None, title="Address")
    phone: Text | None = Field(None, title="Phone")


class Suspected(Person):
    """Who may have done it."""

    age_years: Years | None = Field(None, title="Age")
    description: Text | None = Field(None, title="Description")


class Child(Part):
    """One child, as the recipient's profile may see it. No form is about two."""

    child_id: Text = Field(title="Child's reference")

    name: Text | None = Field(None, title="Name")
    date_of_birth: Day | None = Field(None, title="Date of birth")
    age_years: Years | None = Field(None, title="Age")
    sex: Text | None = Field(None, title="Sex")
    race_ethnicity: Texts | None = Field(None, title="Race/ethnicity")
    person_roles: Texts | None = Field(None, title="Roles")
    residence_address: Text | None = Field(None, title="Address")
    residence_town: Text | None = Field(None, title="Town of residence")
    residence_state: Text | None = Field(None, title="State of residence")
    address_confidential: bool | None = Field(None, title="Address confidential")
    current_location: Text | None = Field(None, title="Where the child is now")
    whereabouts_known: bool | None = Field(None, title="Whereabouts known")
    missing_from_care: bool | None = Field(None, title="Missing from care")
    missing_since: Moment | None = Field(None, title="Missing since")
    travel_authorized: bool | None = Field(None, title="Travel authorized")
    care_status: Text | None = Field(None, title="Care status")
    facility: Text | None = Field(None, title="Facility or foster home")
    foreign_national: bool | None = Field(None, title="Foreign national")
    indian_child: bool | None = Field(None, title="Indian child (ICWA)")
    case_number: Text | None = Field(None, title="DCF case number")

    ht_type: Text | None = Field(None, title="Type of trafficking")
    ht_characteristics: bool | None = Field(None, title="HT characteristics")
    venues: Texts | None = Field(None, title="Venues")
    incident_towns: Texts | None = Field(None, title="Incident towns")
    victimised_on: Day | None = Field(None, title="Date of victimization")
    age_at_victimisation: Years | None = Field(None, title="Age at victimization")
    age_band: Text | None = Field(None, title="Age band")
    residence_at_exploitation: Text | None = Field(None, title="Living then at")
    source_type: Text | None = Field(None, title="Source of the report")
    incident_places: list[Place] | None = Field(None, title="Incident places")
    incident_at_text: Text | None = Field(None, title="When it happened")
    reasons_for_suspicion: Text | None = Field(None, title="Why trafficking is suspected")
    nature_and_extent: Text | None = Field(None, title="Nature and extent")
    previous_injuries: Text | None = Field(None, title="Previous injuries or maltreatment")
    prior_cases: Text | None = Field(None, title="Prior cases")
    action_taken: Text | None = Field(None, title="Action taken")
    other_concerns: Text | None = Field(None, title="Other concerns for the child")

    parents: list[Person] | None = Field(None, title="Parents and caregivers")
    suspected_persons: list[Suspected] | None = Field(None, title="Suspected persons")
    suspected_minor_victims: list[Suspected] | None = Field(
        None, title="Suspected persons who are minor victims themselves"
    )
    officer_safety_notes: Text | None = Field(None, title="Officer safety")
