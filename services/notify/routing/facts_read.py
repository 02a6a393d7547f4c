"""Facts as intake sends them and as a person types them for `what-if`; sealed, as they lie here.

Lenient where a newer intake may say more: a kind that this release does not know asks a person,
and never passes for a known one.
"""

from enum import StrEnum
from typing import Annotated, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict

from services.notify.routing.facts import (
    CONNECTICUT,
    ChildFacts,
    Implicated,
    ImplicatedKind,
    Place,
    PlaceKind,
)
from shared.contracts.codes import HtType

FACTS = "routing"
"""Beside the copies, under the name of no profile: what routing knew of the child."""

_OUTSIDE = frozenset({PlaceKind.OUT_OF_STATE, PlaceKind.OUT_OF_COUNTRY})

K = TypeVar("K", bound=StrEnum)


def is_elsewhere(state: str | None) -> bool:
    """Whether it is known to be another state than Connecticut."""
    return (state or CONNECTICUT) != CONNECTICUT


def _or(fallback: K) -> BeforeValidator:
    known = {each.value for each in type(fallback)}

    def read(value: object) -> object:
        return value if value in known else fallback

    return BeforeValidator(read)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class PlaceFacts(_Part):
    kind: Annotated[PlaceKind, _or(PlaceKind.UNKNOWN)]
    town: str | None = None
    district: str | None = None
    nation: str | None = None
    state: str | None = None
    occurred_at: AwareDatetime | None = None

    def of(self) -> Place:
        """Tribal land of another state is another state, and no town elsewhere is Connecticut's,
        whatever it is called. In state and of another state is a contradiction: a person asks."""
        abroad = is_elsewhere(self.state)
        if self.kind is PlaceKind.TRIBAL_LAND and abroad:
            return Place(PlaceKind.OUT_OF_STATE, occurred_at=self.occurred_at)
        if self.kind is PlaceKind.IN_STATE and abroad:
            return Place(PlaceKind.UNKNOWN, occurred_at=self.occurred_at)
        if self.kind in _OUTSIDE or abroad:
            return Place(self.kind, occurred_at=self.occurred_at)
        return Place(self.kind, self.town, self.district, self.nation, self.occurred_at)


class ImplicatedFacts(_Part):
    kind: Annotated[ImplicatedKind, _or(ImplicatedKind.OTHER)]
    agency: str | None = None


class Facts(_Part):
    """Of one child. What is left out is not known."""

    ht_type: HtType
    residence_town: str | None = None
    residence_state: str | None = None
    incident_towns: tuple[str, ...] = ()
    incident_places: tuple[PlaceFacts, ...] = ()
    address_confidential: bool = False
    missing_from_care: bool | None = None
    care_status: str | None = None
    foreign_national: bool | None = None
    travel_authorized: bool | None = None
    implicated: tuple[ImplicatedFacts, ...] = ()

    def of(self, child_id: str) -> ChildFacts:
        return ChildFacts(
            child_id=child_id,
            ht_type=self.ht_type,
            residence_town=None
            if is_elsewhere(self.residence_state)
            else self.residence_town or None,
            incident_towns=frozenset(self.incident_towns),
            residence_state=self.residence_state or None,
            places=frozenset(place.of() for place in self.incident_places),
            address_confidential=self.address_confidential,
            missing_from_care=self.missing_from_care,
            care_status=self.care_status,
            foreign_national=self.foreign_national,
            travel_authorized=self.travel_authorized,
            implicated=frozenset(Implicated(**dict(each)) for each in self.implicated),
        )
