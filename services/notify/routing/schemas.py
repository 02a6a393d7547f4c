"""What the HTTP API of routing takes and answers."""

from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from services.notify.directory.towns import judicial_districts
from services.notify.routing.facts import NATION_TOWNS, ImplicatedKind, PlaceKind
from services.notify.routing.facts_read import Facts, ImplicatedFacts, PlaceFacts, is_elsewhere
from shared.contracts.base import OpaqueId
from shared.contracts.codes import Trigger
from shared.runtime.errors import Wrong


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


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
