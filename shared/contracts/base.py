"""What every event has in common: its data model and its CloudEvents 1.0 envelope."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, core_schema

OpaqueId = Annotated[str, StringConstraints(pattern=r"^[a-z]{3}_[0-9a-f]{32}$")]
"""A kind of three letters and 128 random bits: `ref_…`. It says nothing of what it names."""


Name = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,128}$")]
"""Printable ASCII without spaces: what every database and log can hold as it is."""


class _InUtc:
    """Checked where it is parsed, without a call of Python for each."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> CoreSchema:
        return core_schema.datetime_schema(tz_constraint=0)


Instant = Annotated[datetime, _InUtc]
"""A point in time, always in UTC; people's time zones are a matter of rendering."""


_TRACEPARENT = r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"

Traceparent = Annotated[
    str | None,
    BeforeValidator(
        lambda value: (
            value if isinstance(value, str) and re.fullmatch(_TRACEPARENT, value) else None
        )
    ),
    WithJsonSchema({"type": "string", "pattern": f"^{_TRACEPARENT}$"}),
]
"""W3C Trace Context. One that is malformed is none: no event is lost by it."""


class Topic(StrEnum):
    """The topics. Each event type belongs to exactly one."""

    REFERRALS = "referrals"
    NOTICES = "notices"
    DEADLINES = "deadlines"
    DISCLOSURES = "disclosures"


class Source(StrEnum):
    """The services that emit, as CloudEvents `source`."""

    INTAKE = "/hartline/intake"
    NOTIFY = "/hartline/notify"
    DEADLINES = "/hartline/deadlines"
    AUDIT = "/hartline/audit"


class Part(BaseModel):
    """A part of an event's data. Frozen; fields it does not know are ignored (additive change)."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class EventData(Part):
    """An event's data. A subclass names its topic, its type and its subject.

    No field holds personal data, a town or a conflict (P5): ids, types, versions and times only.
    """

    topic: ClassVar[Topic]
    type: ClassVar[str]

    @property
    def subject(self) -> str:
        """What the order is about. Events of one subject from one source stay in order."""
        raise NotImplementedError


class ReferralData(EventData):
    """The data of an event that is about a referral."""

    referral_id: OpaqueId

    @property
    def subject(self) -> str:
        return self.referral_id


class Event(BaseModel):
    """A CloudEvents 1.0 envelope in JSON structured mode.

    `sequence` counts from 1 without a gap per (topic, source, subject).
    """

    model_config = ConfigDict(frozen=True, extra="ignore", cache_strings="keys")
    """Ids come once: to remember 16,384 of them takes 2 MB of a process, and finds none again."""

    specversion: Literal["1.0"] = "1.0"
    id: Name
    source: Source
    type: Name
    subject: Name
    time: Instant
    datacontenttype: Literal["application/json"] = "application/json"
    sequence: int = Field(ge=1, le=2**63 - 1)
    traceparent: Traceparent = Field(None, exclude_if=lambda value: value is None)
    """CloudEvents' Distributed Tracing extension: only of what is traced. It decides nothing."""
    data: dict[str, object]
