"""What the HTTP API of the directory and of proposals takes and answers."""

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from services.notify.directory.agencies import Kind
from services.notify.directory.difference import thumbprint
from services.notify.directory.endpoint_tls import Transport
from services.notify.directory.entries import AgencyEntry
from services.notify.proposals.proposal import Proposal
from shared.runtime.two_people import Reason

_MOST_CHANGES = 500


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DirectoryProposalIn(_Strict):
    """Changes to agencies. Each names one by `agency_id` or `code`, and what becomes different."""

    effective: date | None = None
    """The day in Connecticut from which it is so; null: today."""
    reason: Reason
    """For the record; nothing about a child."""
    changes: list[dict[str, JsonValue]] = Field(min_length=1, max_length=_MOST_CHANGES)
    leaves_without: list[Kind] = []
    """The kinds that it leaves nobody of for the whole state, where that is meant."""


class DecisionIn(_Strict):
    decision: Reason
    """Why, for the record: how the fingerprint was confirmed, what was wrong."""


class AgencyOut(BaseModel):
    """An entry as it is in force. A key is shown by its fingerprint (RFC 7638)."""

    agency_id: str
    code: str | None
    kind: str
    name: str
    profile: str
    towns: list[str]
    beats: list[str]
    judicial_districts: list[str]
    offices: list[str]
    affiliations: list[str]
    seat: str | None
    authority: str | None
    authority_from: date | None
    authority_to: date | None
    mou: str | None
    mou_to: date | None
    channel: str
    email: str | None
    endpoint: str | None
    key_thumbprint: str | None
    allowed_networks: list[str]
    max_in_flight: int | None
    max_per_minute: int | None
    transport: Transport | None
    contact: str | None
    successor: str | None
    sample: bool
    refused: str | None
    """Why nothing would be sent to it on that day; null when it may be told."""

    @classmethod
    def of(cls, entry: AgencyEntry, day: date) -> "AgencyOut":
        key = entry.encryption_key
        refused = entry.agency().refusal(day)
        shown = entry.model_dump(mode="json", exclude={"encryption_key", "closed"})
        return cls(
            **shown,
            key_thumbprint=None if key is None else thumbprint(key),
            refused=refused and refused.value,
        )


class DirectoryOut(BaseModel):
    """`next`: ask with `after=` this for the rest; null when there is none."""

    version: int
    as_of: date
    agencies: list[AgencyOut]
    next: str | None


class TermOut(BaseModel):
    """What changed on a day, and the version of the directory that knows of it."""

    valid_from: date
    version: int
    fields: dict[str, Any]


class HistoryOut(BaseModel):
    agency_id: str
    terms: list[TermOut]


class GapOut(BaseModel):
    place: str
    role: str
    why: str


class CoverageOut(BaseModel):
    """Which towns have nobody who may lawfully be told. No gap: all of them have."""

    version: int
    as_of: date
    towns: int
    gaps: list[GapOut]


class ProposalOut(BaseModel):
    proposal_id: str | None
    """Null for a dry run: nothing was stored."""
    kind: str
    summary: str
    reason: str
    state: str
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    decision: str | None
    difference: list[str]
    """What would change, line by line, in words."""

    @classmethod
    def of(cls, proposal: Proposal, difference: list[str]) -> "ProposalOut":
        fields = {
            name: getattr(proposal, name) for name in cls.model_fields if name != "difference"
        }
        return cls(**fields, difference=difference)


class ProposalsOut(BaseModel):
    proposals: list[ProposalOut]
    next: str | None
