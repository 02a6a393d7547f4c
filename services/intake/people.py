"""The people of a referral beside its children. One person may stand in several places.

`same_as` names a child of the same referral by its `person_ref`: a reporter who is the victim, a
perpetrator who is a victim too. `person_roles` say the same of people who are no child of it.
"""

from typing import Annotated

from pydantic import Field

from services.intake.codes import OneOf
from services.intake.fields import Body, Day, Long, PersonRef, PersonRoles, Short, Years


class Reporter(Body):
    """Who reported it. Anonymous is ordinary; caller-ID is never kept."""

    anonymous: bool
    name: Short | None = None
    phone: Short | None = None
    address: Short | None = None
    relationship: Short | None = None
    organisation: Short | None = None
    position: Short | None = None
    mandated: bool | None = None
    confidential: bool = True
    same_as: PersonRef | None = None
    person_roles: PersonRoles = Field(default=[])


class Parent(Body):
    """A parent or whoever is responsible for the child."""

    name: Short | None = None
    address: Short | None = None
    phone: Short | None = None
    relationship: Short | None = None
    person_roles: PersonRoles = Field(default=[])


class SuspectedPerson(Body):
    """Who may have done it; may be a minor and a victim too (CGS 53a-192a(b))."""

    name: Short | None = None
    description: Long | None = None
    relationship: Short | None = None
    age_years: Years | None = None
    address: Short | None = None
    phone: Short | None = None
    same_as: PersonRef | None = None
    person_roles: PersonRoles = Field(default=[])


class Sibling(Body):
    """Another child of the household, who is not alleged to be a victim (form DCF-136)."""

    name: Short | None = None
    date_of_birth: Day | None = None
    age_years: Years | None = None
    relationship: Short | None = None


class Implicated(Body):
    """An officer, employee or facility that is implicated. Their agency must not learn of it."""

    kind: Annotated[str, OneOf("implicated_kind")]
    agency: Short | None = None
    name: Short | None = None
    position: Short | None = None
    notes: Long | None = None
