"""The directory as a value: agencies, their jurisdictions, and whether they may be told."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from functools import cached_property

from services.notify.authority import refusal
from shared.contracts.codes import RefusalReason


class Kind(StrEnum):
    """What an agency is. The roles of a route are filled by kind."""

    MUNICIPAL_POLICE = "municipal_police"
    STATE_POLICE = "state_police"
    """With towns: a troop that polices them. Without: the State Police, statewide."""
    FBI = "fbi"
    CHIEF_STATES_ATTORNEY = "chief_states_attorney"
    HART_LEAD_STATEWIDE = "hart_lead_statewide"
    HART_DIRECTOR = "hart_director"
    MDT_MEMBER = "mdt_member"


POLICE = frozenset({Kind.MUNICIPAL_POLICE, Kind.STATE_POLICE})


@dataclass(frozen=True, slots=True)
class Agency:
    """An agency as routing sees it. Towns and judicial districts as in ct_towns.csv."""

    agency_id: str
    kind: Kind
    name: str
    profile: str
    towns: frozenset[str] = frozenset()
    judicial_districts: frozenset[str] = frozenset()
    authority: str | None = None
    authority_from: date | None = None
    authority_to: date | None = None
    """The last day in force; None: no end on file."""
    encrypted_channel: bool = False
    """Has both an endpoint and an encryption key."""
    sample: bool = False

    def refusal(self, today: date) -> RefusalReason | None:
        """Why nothing may be sent to it today, or None when it may be told (P3)."""
        channel = self.encrypted_channel
        return refusal(self.authority, self.authority_from, self.authority_to, channel, today)


@dataclass(frozen=True)
class Directory:
    """Every agency as of one version, and the judicial district of each town (CGS 51-344)."""

    version: int
    agencies: tuple[Agency, ...]
    districts: Mapping[str, str]
    _by_id: Mapping[str, Agency] = field(init=False, repr=False, compare=False)
    _by_kind: Mapping[str, list[Agency]] = field(init=False, repr=False, compare=False)
    _police: Mapping[str, list[Agency]] = field(init=False, repr=False, compare=False)
    _mdt: Mapping[str, list[Agency]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ordered = sorted(self.agencies, key=lambda agency: agency.agency_id)
        police = [agency for agency in ordered if agency.kind in POLICE]
        members = [agency for agency in ordered if agency.kind is Kind.MDT_MEMBER]
        indexes = {
            "_by_id": {agency.agency_id: agency for agency in ordered},
            "_by_kind": _index((agency.kind, agency) for agency in ordered),
            "_police": _index((town, agency) for agency in police for town in agency.towns),
            "_mdt": _index((jd, agency) for agency in members for jd in agency.judicial_districts),
        }
        for name, value in indexes.items():
            object.__setattr__(self, name, value)

    @cached_property
    def samples(self) -> "Directory":
        """Only the sample agencies: whom a synthetic referral may reach. It never goes outside."""
        return replace(self, agencies=tuple(agency for agency in self.agencies if agency.sample))

    def without_samples(self) -> "Directory":
        """Only real agencies: whom production may reach."""
        return replace(
            self, agencies=tuple(agency for agency in self.agencies if not agency.sample)
        )

    def get(self, agency_id: str) -> Agency | None:
        return self._by_id.get(agency_id)

    def of_kind(self, kind: Kind) -> Sequence[Agency]:
        return self._by_kind.get(kind, [])

    def police_of(self, town: str) -> Sequence[Agency]:
        """Whoever polices the town, municipal or troop; several where it is shared."""
        return self._police.get(town, [])

    def statewide_police(self) -> Sequence[Agency]:
        return [agency for agency in self.of_kind(Kind.STATE_POLICE) if not agency.towns]

    def mdt_of(self, town: str) -> Sequence[Agency]:
        """The members of the team of the town's judicial district."""
        return self._mdt.get(self.districts.get(town, ""), [])


def _index(pairs: Iterable[tuple[str, Agency]]) -> dict[str, list[Agency]]:
    index: dict[str, list[Agency]] = {}
    for key, agency in pairs:
        index.setdefault(key, []).append(agency)
    return index
