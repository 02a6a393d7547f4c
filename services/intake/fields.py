"""What the fields of intake's bodies are made of: text, days, moments, codes."""

import re
from collections.abc import Hashable
from datetime import UTC, date, datetime
from typing import Annotated, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from services.intake.codes import OneOf
from shared.runtime.errors import Wrong

_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)

H = TypeVar("H", bound=Hashable)


class Body(BaseModel):
    """Strict: unknown fields are refused, nothing is coerced or trimmed."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, cache_strings="keys")


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


def _not_blank(value: str) -> str:
    if not value.strip():
        raise Wrong("must not be blank")
    return value


def _each_once(values: list[H]) -> list[H]:
    if len(set(values)) < len(values):
        raise Wrong("must name each code once")
    return values


# Not strict: past a BeforeValidator, pydantic takes the JSON text for a Python string.
Moment = Annotated[
    AwareDatetime, Field(strict=False), BeforeValidator(_is_rfc3339), AfterValidator(_in_utc)
]
Day = Annotated[date, Field(strict=False, ge=date(1900, 1, 1)), BeforeValidator(_is_date)]
Years = Annotated[int, Field(ge=0, le=120)]
Short = Annotated[str, StringConstraints(max_length=200)]
Long = Annotated[str, StringConstraints(max_length=20_000)]
Said = Annotated[Long, AfterValidator(_not_blank)]
"""A narrative that must say something."""
Reason = Annotated[str, StringConstraints(max_length=300), AfterValidator(_not_blank)]
_SECTION = r"§? ?[0-9][0-9a-z-]{0,12}(\([0-9a-zA-Z]{1,4}\)){0,4}"
Cited = Annotated[
    str,
    StringConstraints(
        pattern=rf"^(CGS|PA|DCF Policy|[1-9][0-9]? (USC|CFR)) "
        rf"{_SECTION}((, | and |; ){_SECTION}){{0,4}}$"
    ),
]
"""A law or a policy, by its number: there is no room for a name in it (P5)."""
ProfileName = Annotated[str, StringConstraints(max_length=64)]
PersonRef = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
"""The caller's own mark for a person within one referral, such as `p1`; never a name."""

PersonRoles = Annotated[
    list[Annotated[str, OneOf("person_role")]], Field(max_length=11), AfterValidator(_each_once)
]
Venues = Annotated[
    list[Annotated[str, OneOf("venue")]], Field(max_length=14), AfterValidator(_each_once)
]
RaceEthnicity = Annotated[
    list[Annotated[str, OneOf("race_ethnicity")]], Field(max_length=6), AfterValidator(_each_once)
]
State = Annotated[str, OneOf("state")]
