"""HTTP bodies of intake. Strict: unknown fields are refused, nothing is coerced or trimmed."""

import re
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from services.intake.codes import Sex, SourceType
from shared.contracts.base import OpaqueId
from shared.contracts.codes import HtType, Trigger
from shared.runtime.errors import Wrong

_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


def _is_rfc3339(value: object) -> object:
    if not (isinstance(value, str) and _RFC3339.fullmatch(value)):
        raise Wrong(
            "must be an RFC 3339 date-time with an offset, such as 2026-03-02T14:05:00-05:00"
        )
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        instant = value.astimezone(UTC)
    except OverflowError:
        instant = None
    if instant is None or instant < _EARLIEST:
        raise Wrong("must be in the year 2000 or later")
    return instant


def _is_date(value: object) -> object:
    if not (isinstance(value, str) and _DATE.fullmatch(value)):
        raise Wrong("must be a date such as 2012-04-30")
    return value


# Not strict: past a BeforeValidator, pydantic takes the JSON text for a Python string.
Moment = Annotated[
    AwareDatetime, Field(strict=False), BeforeValidator(_is_rfc3339), AfterValidator(_in_utc)
]
Day = Annotated[date, Field(strict=False, ge=date(1900, 1, 1)), BeforeValidator(_is_date)]
Short = Annotated[str, StringConstraints(max_length=200)]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,40}$")]
Long = Annotated[str, StringConstraints(max_length=20_000)]


def _not_blank(value: str) -> str:
    if not value.strip():
        raise Wrong("must not be blank")
    return value


Said = Annotated[Long, AfterValidator(_not_blank)]
"""A narrative that must say something."""
Reason = Annotated[str, StringConstraints(max_length=300), AfterValidator(_not_blank)]
ProfileName = Annotated[str, StringConstraints(max_length=64)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Reporter(Body):
    """Who reported it. Anonymous is ordinary; caller-ID is never kept."""

    anonymous: bool
    name: Short | None = None
    phone: Short | None = None
    relationship: Short | None = None
    organisation: Short | None = None
    confidential: bool = True


class Parent(Body):
    """A parent or whoever is responsible for the child."""

    name: Short | None = None
    address: Short | None = None
    phone: Short | None = None


class SuspectedPerson(Body):
    """Who may have done it; may be a minor and a victim too."""

    name: Short | None = None
    description: Long | None = None
    relationship: Short | None = None


class Child(Body):
    """One child: CGS 17a-101d, and what policy 21-14 asks the Careline to capture."""

    name: Short | None = None
    date_of_birth: Day | None = None
    age_years: int | None = Field(None, ge=0, le=120)
    sex: Sex | None = None
    race_ethnicity: list[Code] = Field(default=[], max_length=7)
    victimised_on: Day | None = None
    age_at_victimisation: int | None = Field(None, ge=0, le=120)
    age_band: Code | None = None
    residence_at_exploitation: Code | None = None
    venues: list[Code] = Field(default=[], max_length=20)
    facility: Short | None = None
    address_confidential: bool = False
    residence_address: Short | None = None
    residence_town: Short | None = None
    incident_towns: list[Short] = Field(default=[], max_length=20)
    current_location: Long | None = None
    parents: list[Parent] = Field(default=[], max_length=10)
    ht_type: HtType
    reasons_for_suspicion: Said
    nature_and_extent: Long | None = None
    incident_at_text: Long | None = None
    previous_injuries: Long | None = None
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
