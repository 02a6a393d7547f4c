"""An agency as routing sees it: what it is, where it has a say, and whether it may be told."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from services.notify.directory.authority import refusal
from services.notify.directory.jurisdiction import Beat
from shared.contracts.codes import Channel, RefusalReason


class Kind(StrEnum):
    """What an agency is. The roles of a route are filled by kind."""

    MUNICIPAL_POLICE = "municipal_police"
    STATE_POLICE = "state_police"
    """With towns: a troop that polices them. Without: the State Police, statewide."""
    TRIBAL_POLICE = "tribal_police"
    """Municipal powers on the reservation under an MOA (CGS 47-65c)."""
    CAMPUS_POLICE = "campus_police"
    AIRPORT_POLICE = "airport_police"
    FBI = "fbi"
    CHIEF_STATES_ATTORNEY = "chief_states_attorney"
    STATES_ATTORNEY = "states_attorney"
    """Of a judicial district."""
    HART_LEAD_STATEWIDE = "hart_lead_statewide"
    HART_LEAD_LOCAL = "hart_lead_local"
    """Of a DCF office, as are liaison, Regional Office and SIU; without offices: of all."""
    HART_LIAISON = "hart_liaison"
    HART_DIRECTOR = "hart_director"
    REGIONAL_OFFICE = "regional_office"
    SIU = "siu"
    MDT_MEMBER = "mdt_member"
    """One person or desk of a judicial district's roll, told on a channel of its own."""
    INTERSTATE_COMPACT = "interstate_compact"
    ELIGIBILITY_COORDINATOR = "eligibility_coordinator"
    NCMEC = "ncmec"
    LICENSING = "licensing"
    EDUCATION = "education"


def kind_of(stored: str) -> Kind | None:
    """None: no kind of this release; of a later one, perhaps."""
    try:
        return Kind(stored)
    except ValueError:
        return None


POLICE = frozenset(
    {
        Kind.MUNICIPAL_POLICE,
        Kind.STATE_POLICE,
        Kind.TRIBAL_POLICE,
        Kind.CAMPUS_POLICE,
        Kind.AIRPORT_POLICE,
    }
)
OF_PLACES = (POLICE - {Kind.STATE_POLICE}) | {Kind.MDT_MEMBER, Kind.STATES_ATTORNEY}
"""Told of the places on their record, and without any of nothing. (The State Police are not.)"""
OF_OFFICES = frozenset({Kind.HART_LEAD_LOCAL, Kind.HART_LIAISON, Kind.REGIONAL_OFFICE, Kind.SIU})


@dataclass(frozen=True, slots=True)
class Agency:
    """An agency as routing sees it. Towns, districts and offices as in ct_towns.csv."""

    agency_id: str
    kind: Kind | None
    """None: one that this release does not know (`kind_of`). It fills no role."""
    name: str
    profile: str
    towns: frozenset[str] = frozenset()
    """Policed whole, at all hours, as far as nothing narrower is known."""
    judicial_districts: frozenset[str] = frozenset()
    authority: str | None = None
    authority_from: date | None = None
    authority_to: date | None = None
    """The last day in force, of the authority or of the MOU; None: no end on file."""
    encrypted_channel: bool = False
    """Is told by it, and has both an endpoint and an encryption key."""
    other_channel: Channel | None = None
    """Is told by this one instead, and all that it needs is on file."""
    sample: bool = False
    code: str | None = None
    """What people and files call it, for good: `ansonia_police`, `csp_troop_k`."""
    beats: tuple[Beat, ...] = ()
    """Parts of towns, and towns at certain hours."""
    offices: frozenset[str] = frozenset()
    """DCF area offices (`Norwich`) and regions (`Region 3`) that it serves."""
    affiliations: frozenset[str] = frozenset()
    """Codes of the agencies that its people belong to: a conflict of one is its own."""

    def refusal(self, today: date) -> RefusalReason | None:
        """Why nothing may be sent to it today, or None when it may be told (P3)."""
        reachable = self.encrypted_channel or self.other_channel is not None
        return refusal(self.authority, self.authority_from, self.authority_to, reachable, today)

    @property
    def polices_as_trooper(self) -> bool:
        """A troop, or the resident troopers it lends to a town."""
        return self.kind is Kind.STATE_POLICE and bool(self.towns or self.beats)

    def belongs_to(self, code: str) -> bool:
        """Whether it is that agency, or has people of it."""
        return code in (self.code, self.agency_id) or code in self.affiliations
