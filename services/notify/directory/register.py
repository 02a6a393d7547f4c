"""The directory as a value: who is on file, and who is found by town, district, office or name."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import TypeVar

from services.notify.directory.agencies import OF_OFFICES, POLICE, Agency, Kind
from services.notify.directory.jurisdiction import Beat
from services.notify.directory.naming import canonical
from services.notify.synthetic import RECIPIENTS


@dataclass(frozen=True, slots=True)
class Former:
    """An agency that was closed. `successor`: the code of who does its work now."""

    agency_id: str
    code: str | None
    name: str
    successor: str | None


@dataclass(frozen=True)
class Directory:
    """Every agency as of one version, the judicial district of each town (CGS 51-344) and the
    DCF offices of each.

    Lookups are dictionaries built once. Whoever they return is to be read, never changed.
    """

    version: int
    agencies: tuple[Agency, ...]
    districts: Mapping[str, str]
    offices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    recipients: tuple[Agency, ...] = ()
    """The built-in recipients of synthetic referrals, where samples are not routed to."""
    former: tuple[Former, ...] = ()
    """Closed agencies: whoever succeeds one has its conflicts."""
    _index: "_Index" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", _Index(self.agencies, self.former))

    @cached_property
    def samples(self) -> "Directory":
        """Only the sample agencies: whom a synthetic referral may reach. It never goes outside."""
        found = (*self.recipients, *(agency for agency in self.agencies if agency.sample))
        return replace(self, agencies=found, recipients=())

    def without_samples(self) -> "Directory":
        """Only real agencies: whom production may reach."""
        return replace(
            self,
            agencies=tuple(agency for agency in self.agencies if not agency.sample),
            recipients=tuple(a for a in self.agencies if a.sample and a.agency_id in RECIPIENTS),
        )

    def get(self, agency_id: str) -> Agency | None:
        return self._index.by_id.get(agency_id)

    def heir(self, agency_id: str) -> Agency | None:
        """The agency, or who does the work now of one that was closed."""
        return self._index.by_id.get(agency_id) or self._index.heirs.get(agency_id)

    def called(self, name: str) -> list[Agency]:
        """By id, code or name, however it is written, of today or of an agency that it succeeds:
        several where several are called so."""
        known = self.heir(name)
        return [known] if known else self._index.by_name.get(canonical(name), [])

    def codes_of(self, agency: Agency) -> list[str]:
        """What it is called by whoever has people of it, and what those whom it succeeds were."""
        before = self._index.before.get(agency.agency_id, [])
        return [each for each in (agency.agency_id, agency.code, *before) if each]

    def of_kind(self, kind: Kind) -> list[Agency]:
        return self._index.by_kind.get(kind, [])

    def police_of(
        self, town: str, *, district: str | None = None, at: datetime | None = None
    ) -> list[Agency]:
        """Whoever polices the town; several where it is shared.

        1. `district`, a part of it, has police of its own: those. Otherwise the town's.
        2. `at`, an aware datetime: of these, who is responsible at that hour. Unknown: all.
        3. If that leaves nobody, all of them: hours narrow a duty and never drop it.
        """
        found = self._index.police.get((town, district)) or self._index.police.get((town, None), [])
        if at is not None:
            found = [pair for pair in found if pair[1].open_at(at)] or found
        return list(dict.fromkeys(agency for agency, _ in found))

    def is_parted(self, town: str) -> bool:
        """Whether a part of it has municipal police of its own: a city in a town, a district."""
        return town in self._index.parted

    def statewide_police(self) -> list[Agency]:
        return self._index.statewide

    def troopers_police(self, towns: Iterable[str]) -> bool:
        """Whether any of the towns, or a time of its day, is policed by troopers."""
        return any(each.polices_as_trooper for town in towns for each in self.police_of(town))

    @property
    def state_police_and_theirs(self) -> list[Agency]:
        """The State Police, and the police who share a town or a part of one with troopers."""
        return self._index.state_police_and_theirs

    def mdt_of(self, town: str) -> list[Agency]:
        """The members of the roll of the town's judicial district."""
        return self._index.mdt.get(self.districts.get(town, ""), [])

    def states_attorney_of(self, town: str) -> list[Agency]:
        return self._index.prosecutors.get(self.districts.get(town, ""), [])

    def office_of(self, town: str, kind: Kind) -> list[Agency]:
        """DCF's people of that kind for the town: of its area office, or else its region, or
        else those who serve every office."""
        for office in (*self.offices.get(town, ()), None):
            if found := self._index.offices.get((kind, office)):
                return found
        return []


class _Index:
    """What the lookups read. Everything is in the order of agency ids."""

    def __init__(self, agencies: Iterable[Agency], former: Iterable[Former]) -> None:
        ordered = sorted(agencies, key=lambda agency: agency.agency_id)
        self.by_id = {agency.agency_id: agency for agency in ordered}
        succeeded = _succeeded(ordered, former)
        self.heirs = {gone.agency_id: heir for gone, heir in succeeded}
        self.before = _index(
            (heir.agency_id, code)
            for gone, heir in succeeded
            for code in (gone.agency_id, gone.code)
            if code
        )
        self.by_name = _by_names(ordered, succeeded)
        self.by_kind = _index((agency.kind, agency) for agency in ordered)
        self.statewide = [
            agency
            for agency in self.by_kind.get(Kind.STATE_POLICE, [])
            if not agency.polices_as_trooper
        ]
        self.police = _index(
            ((beat.town, beat.part), (agency, beat))
            for agency in ordered
            if agency.kind in POLICE
            for beat in (*map(Beat, sorted(agency.towns)), *agency.beats)
        )
        self.state_police_and_theirs = self._with_troopers()
        self.parted = frozenset(
            beat.town
            for agency in self.by_kind.get(Kind.MUNICIPAL_POLICE, [])
            for beat in agency.beats
            if beat.part is not None
        )
        self.mdt = self._by_district(Kind.MDT_MEMBER)
        self.prosecutors = self._by_district(Kind.STATES_ATTORNEY)
        self.offices = _index(
            ((agency.kind, office), agency)
            for agency in ordered
            if agency.kind in OF_OFFICES
            for office in (agency.offices or (None,))
        )

    def _with_troopers(self) -> list[Agency]:
        shared = [
            [agency for agency, _ in pairs]
            for pairs in self.police.values()
            if any(agency.polices_as_trooper for agency, _ in pairs)
        ]
        theirs = {agency.agency_id for agencies in shared for agency in agencies}
        theirs |= {agency.agency_id for agency in self.by_kind.get(Kind.STATE_POLICE, [])}
        return [self.by_id[each] for each in sorted(theirs)]

    def _by_district(self, kind: Kind) -> dict[str, list[Agency]]:
        return _index(
            (district, agency)
            for agency in self.by_kind.get(kind, [])
            for district in agency.judicial_districts
        )


K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def _index(pairs: Iterable[tuple[K, V]]) -> dict[K, list[V]]:
    index: dict[K, list[V]] = {}
    for key, value in pairs:
        index.setdefault(key, []).append(value)
    return index


def _by_names(
    agencies: Iterable[Agency], succeeded: Iterable[tuple[Former, Agency]]
) -> dict[str, list[Agency]]:
    names = [(name, agency) for agency in agencies for name in (agency.name, agency.code)]
    names += [(name, heir) for gone, heir in succeeded for name in (gone.name, gone.code)]
    return _index(dict.fromkeys((canonical(name), agency) for name, agency in names if name))


def _succeeded(agencies: Iterable[Agency], former: Iterable[Former]) -> list[tuple[Former, Agency]]:
    """Each closed agency with who does its work today, however many mergers ago."""
    today = {agency.code: agency for agency in agencies if agency.code}
    closed = {gone.code: gone for gone in former if gone.code}
    found = []
    for gone in sorted(former, key=lambda each: each.agency_id):
        code, seen = gone.successor, {gone.code}
        while code in closed and code not in today and code not in seen:
            seen.add(code)
            code = closed[code].successor
        if code is not None and code in today:
            found.append((gone, today[code]))
    return found
