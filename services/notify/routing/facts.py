"""What routing knows of a referral: towns, places, who is implicated. Values; nobody's name."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.contracts.codes import HtType, Stage, Trigger

CONNECTICUT = "CT"


class PlaceKind(StrEnum):
    """As in intake's code list `incident_place_kind`."""

    IN_STATE = "in_state"
    OUT_OF_STATE = "out_of_state"
    OUT_OF_COUNTRY = "out_of_country"
    TRIBAL_LAND = "tribal_land"
    INTERNET = "internet"
    UNKNOWN = "unknown"


class ImplicatedKind(StrEnum):
    """As in intake's code list `implicated_kind`."""

    MUNICIPAL_OFFICER = "municipal_officer"
    STATE_TROOPER = "state_trooper"
    TRIBAL_OFFICER = "tribal_officer"
    FEDERAL_OFFICER = "federal_officer"
    PROSECUTOR = "prosecutor"
    MDT_MEMBER = "mdt_member"
    DCF_EMPLOYEE = "dcf_employee"
    FOSTER_HOME = "foster_home"
    FACILITY = "facility"
    SCHOOL_EMPLOYEE = "school_employee"
    RELATIVE_OF_ONE = "relative_of_one"
    OTHER = "other"


NATION_TOWNS = {
    "mashantucket_pequot": "Ledyard",
    "mohegan": "Montville",
    "eastern_pequot": "North Stonington",
    "golden_hill_paugussett": "Trumbull",
    "schaghticoke": "Kent",
}
"""In which town a nation's land lies, as intake's code list `tribal_nation` says."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something happened, when a town alone does not say it."""

    kind: PlaceKind
    town: str | None = None
    district: str | None = None
    nation: str | None = None
    occurred_at: datetime | None = None

    @property
    def lies_in(self) -> str | None:
        return self.town or NATION_TOWNS.get(self.nation or "")

    @property
    def part(self) -> str | None:
        return self.district or self.nation

    @property
    def is_somewhere(self) -> bool:
        """In Connecticut, or who knows where, and in no town that is known."""
        nowhere = {PlaceKind.UNKNOWN, PlaceKind.IN_STATE, PlaceKind.TRIBAL_LAND}
        return self.kind is PlaceKind.UNKNOWN or (self.kind in nowhere and self.lies_in is None)

    @property
    def contradicts(self) -> bool:
        """A nation's land, said to lie in a town where ours say it does not."""
        land = NATION_TOWNS.get(self.nation or "")
        return land is not None and self.town not in (None, land)


@dataclass(frozen=True, slots=True)
class Implicated:
    """Somebody's officer, employee or facility. `agency`: whose, as the caller named it."""

    kind: ImplicatedKind
    agency: str | None = None


@dataclass(frozen=True, slots=True)
class ChildFacts:
    """What routing needs to know of a child. Towns are names as in ct_towns.csv."""

    child_id: str
    ht_type: HtType
    residence_town: str | None = None
    incident_towns: frozenset[str] = frozenset()
    residence_state: str | None = None
    places: frozenset[Place] = frozenset()
    address_confidential: bool = False
    """Takes part in the Address Confidentiality Program: nobody is told by way of the residence."""
    missing_from_care: bool | None = None
    care_status: str | None = None
    foreign_national: bool | None = None
    travel_authorized: bool | None = None
    """Whether the Department or the guardian allowed the child to be where it is."""
    implicated: frozenset[Implicated] = frozenset()

    @property
    def home(self) -> str | None:
        """The residence town, as far as anybody may be told by way of it."""
        return None if self.address_confidential else self.residence_town

    @property
    def towns(self) -> frozenset[str]:
        """Every town of Connecticut by which somebody may be told."""
        known = {self.home, *(place.lies_in for place in self.places), *self.incident_towns}
        return frozenset(town for town in known if town is not None)

    @property
    def lives_elsewhere(self) -> bool:
        return self.residence_state not in (None, CONNECTICUT)

    @property
    def only_outside(self) -> bool:
        """Known places, none of them in Connecticut: the internet, another state or country."""
        outside = {PlaceKind.INTERNET, PlaceKind.OUT_OF_STATE, PlaceKind.OUT_OF_COUNTRY}
        kinds = {place.kind for place in self.places}
        return bool(kinds) and kinds <= outside and not self.incident_towns

    @property
    def is_away(self) -> bool:
        return any(place.kind is PlaceKind.OUT_OF_STATE for place in self.places)


@dataclass(frozen=True, slots=True)
class Asserted:
    """A conflict that a person has asserted: of an agency, in one child's matter or in all."""

    agency_id: str
    child_id: str | None = None
    alone: bool = False
    """It said itself that the matter is not its own: nobody else of its kind is meant."""


@dataclass(frozen=True, slots=True)
class ReferralFacts:
    """A referral as routing sees it."""

    trigger: Trigger
    received_at: datetime
    children: tuple[ChildFacts, ...]
    stage: Stage = Stage.RECEIVED
    conflicts: frozenset[Asserted] = frozenset()
