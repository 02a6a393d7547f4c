"""What the HTTP API answers."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from services.notify.facts import NATION_TOWNS, ImplicatedKind, PlaceKind
from services.notify.facts_read import Facts, ImplicatedFacts, PlaceFacts, is_elsewhere
from services.notify.towns import judicial_districts
from shared.contracts.base import OpaqueId
from shared.contracts.codes import Trigger
from shared.runtime.errors import Wrong


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)


class NoticeOut(_Answer):
    """One leg of a referral: who had to be told, why, and how far it has come."""

    notice_id: str
    child_id: str
    role: str
    recipient: str | None
    """The agency's name; null when nobody on file fits the role."""
    because: str
    version: int
    kind: str
    state: str
    """pending, blocked, attempting, delivered, superseded, refused or closed."""
    reason: str | None
    """Why it was refused when planned."""
    attempts: int
    planned_at: datetime
    delivered_at: datetime | None


class NoticesOut(_Answer):
    referral_id: str
    notices: list[NoticeOut]


class TaskOut(_Answer):
    """What a named person must look at."""

    task_id: str
    kind: str
    referral_id: str | None
    """Null: it is about no referral."""
    detail: str
    created_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None


class TasksOut(_Answer):
    """`next`: ask with `after=` this for the rest; null when there is none."""

    tasks: list[TaskOut]
    next: str | None


class WatermarkOut(_Answer):
    """No fact on topic notices older than `oldest_unrelayed_at` (null: than `now`) is missing
    from the bus."""

    oldest_unrelayed_at: datetime | None
    now: datetime
    sequences: dict[str, int]
    """By referral asked for, the last event emitted on topic notices; 0 for none. Whoever has
    folded that many is missing nothing that had happened by `now`."""


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class AssertedGround(StrEnum):
    """Why an agency must learn nothing. Codes alone: a story would be personal data."""

    OFFICER_IMPLICATED = "officer_implicated"
    RELATIVE_IMPLICATED = "relative_implicated"
    EMPLOYEE_IMPLICATED = "employee_implicated"
    RECUSAL = "recusal"
    OTHER = "other"


class ConflictIn(_Body):
    """`child_id` left out: in every child's matter."""

    agency_id: OpaqueId
    child_id: OpaqueId | None = None
    ground: AssertedGround


class ConflictOut(_Answer):
    """A conflict and whom it holds. It holds until `lifted_at`."""

    assertion_id: str
    referral_id: str
    child_id: str | None
    agency_ids: list[str]
    ground: str
    asserted_by: str
    asserted_at: datetime
    lift_asked_by: str | None
    lift_asked_at: datetime | None
    lifted_by: str | None
    lifted_at: datetime | None


class ConflictsOut(_Answer):
    referral_id: str
    conflicts: list[ConflictOut]


class ExplainedOut(_Answer):
    """One leg in words."""

    child_id: str
    fate: str
    """told, stands_in, refused, suppressed, review or ask."""
    role: str
    recipient: str | None
    rule: str | None
    citation: str | None
    profile: str | None
    form: str | None
    sentence: str


class LegOut(_Answer):
    """One leg of a stored referral, by the rules and the directory that chose it."""

    notice_id: str
    child_id: str
    version: int
    fate: str
    """pending, held, sending, uncertain, pointed, told, opened, told_orally, acknowledged,
    recalled, superseded, withdrawn, closed, refused or suppressed: what is true of it now."""
    state: str
    role: str
    recipient: str | None
    rule: str
    citation: str | None
    authority: str | None
    profile: str | None
    fields: list[str]
    rules_version: str
    directory_version: int
    sentence: str


class MatterOut(_Answer):
    """A review item or a question that a stored referral has made. It discloses nothing."""

    child_id: str
    version: int
    fate: str
    """review or ask."""
    role: str
    rule: str
    citation: str | None
    rules_version: str
    directory_version: int
    sentence: str


class RoutingOut(_Answer):
    referral_id: str
    legs: list[LegOut]
    matters: list[MatterOut]
    questions: list[str]
    """Of towns, and of whose officer somebody is: what a person was asked to find out."""


def _town(name: str) -> str:
    if name not in judicial_districts():
        raise Wrong("must be one of Connecticut's 169 towns, spelled as in the town list")
    return name


def _nation(code: str) -> str:
    if code not in NATION_TOWNS and code != "other":
        raise Wrong("must be a code of intake's list tribal_nation")
    return code


Town = Annotated[str, AfterValidator(_town)]


State = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


def _without_towns_elsewhere(given: Any, town: str, state: str) -> Any:
    """The town of another state may be called as it likes, and counts for none of Connecticut."""
    if isinstance(given, dict) and is_elsewhere(str(given.get(state) or "")):
        return {name: value for name, value in given.items() if name != town}
    return given


class PlaceIn(PlaceFacts):
    """As intake's incident_places, without what routing does not look at."""

    model_config = ConfigDict(extra="forbid")

    kind: PlaceKind
    town: Town | None = None
    state: State | None = None
    nation: Annotated[str, AfterValidator(_nation)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _elsewhere(cls, given: Any) -> Any:
        return _without_towns_elsewhere(given, "town", "state")


class ImplicatedIn(ImplicatedFacts):
    model_config = ConfigDict(extra="forbid")

    kind: ImplicatedKind


class FactsIn(Facts):
    """A child that does not exist. There is no field for a name."""

    model_config = ConfigDict(extra="forbid")

    residence_town: Town | None = None
    residence_state: State | None = None
    incident_towns: tuple[Town, ...] = Field((), max_length=20)
    incident_places: tuple[PlaceIn, ...] = Field((), max_length=20)
    implicated: tuple[ImplicatedIn, ...] = Field((), max_length=10)

    @model_validator(mode="before")
    @classmethod
    def _elsewhere(cls, given: Any) -> Any:
        return _without_towns_elsewhere(given, "residence_town", "residence_state")


class WhatIfIn(_Body):
    """A hypothetical referral. Nothing of it is kept or logged."""

    trigger: Trigger = Trigger.CARELINE
    received_at: AwareDatetime | None = None
    """Now, when it is left out: police may be on duty by the hour."""
    children: tuple[FactsIn, ...] = Field(min_length=1, max_length=20)
    conflicts: tuple[OpaqueId, ...] = Field((), max_length=20)
    """Agencies of which a conflict is asserted."""
    as_of: date | None = None
    """By the rules and the directory of that day in Connecticut; of today when it is left out."""


class WhatIfOut(_Answer):
    """Who would be told, at once and later. Children are numbered: `child_1` …"""

    rules_version: str
    directory_version: int
    received: list[ExplainedOut]
    if_accepted: list[ExplainedOut]
    if_consult_shared: list[ExplainedOut]
    questions: list[str]
