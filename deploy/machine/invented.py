"""Who is in the sample directory: an agency of every kind, for each of the 169 towns. Invented.

Names of forces are read from `ct_towns.csv`, a sample itself, and marked `Sample` all the same: no
endpoint, key, authority or telephone number here is anybody's.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from deploy.machine.home import ROOT

TOWNS = ROOT / "services" / "notify" / "data" / "ct_towns.csv"
STATEWIDE = "Sample Connecticut State Police (statewide)"
_STATE_POLICE = "Connecticut State Police"
_FULL_ROLL = "Windham"
"""Of one judicial district the sample roll is complete; of the others it is a coordinator."""
_SEATS = (
    ("police", "Police", "willimantic_police"),
    ("prosecutor", "Prosecutor", "states_attorney_windham"),
    ("dcf", "DCF Worker", "regional_office_willimantic"),
    ("mental_health", "Mental Health Professional", None),
    ("medical", "Medical Professional", None),
    ("forensic_interviewer", "Forensic Interviewer", None),
    ("advocate", "Victim Advocate", None),
)
_PARTS = (
    ("municipal_police", "groton_city_police", "City of Groton Police", "Groton/groton_city"),
    ("municipal_police", "groton_long_point_police", "Groton Long Point Police",
     "Groton/groton_long_point"),
    ("municipal_police", "colchester_police", "Colchester Constables", "Colchester@07:00-24:00"),
    ("campus_police", "uconn_police", "UConn Police, Storrs", "Mansfield/uconn_storrs"),
    ("campus_police", "uconn_health_police", "UConn Health Police", "Farmington/uconn_health"),
    ("campus_police", "yale_police", "Yale Police", "New Haven/yale"),
    ("campus_police", "southern_csu_police", "Southern CSU Police", "New Haven/southern_csu"),
    ("campus_police", "central_csu_police", "Central CSU Police", "New Britain/central_csu"),
    ("campus_police", "eastern_csu_police", "Eastern CSU Police", "Windham/eastern_csu"),
    ("campus_police", "western_csu_police", "Western CSU Police", "Danbury/western_csu"),
    ("airport_police", "bradley_police", "Bradley Airport Police", "Windsor Locks/bradley_airport"),
    ("tribal_police", "mashantucket_pequot_police", "Mashantucket Pequot Tribal Police",
     "Ledyard/mashantucket_pequot"),
    ("tribal_police", "mohegan_police", "Mohegan Tribal Police", "Montville/mohegan"),
)  # fmt: skip
_ALSO = {
    "groton_town_police": ("Groton/groton_town",),
    "willimantic_police": ("Windham/willimantic",),
    "putnam_police": ("Putnam/putnam_district",),
    "csp_troop_k": ("Colchester@00:00-07:00",),
    "csp_troop_e": ("Ledyard/mashantucket_pequot", "Montville/mohegan"),
}
"""The part of its town that a force has for itself; the hours and the reservations of a troop."""
_BY_THE_HOUR = {"Colchester"}
_STATEWIDE_OFFICES = (
    ("fbi", "FBI Field Office"),
    ("chief_states_attorney", "Office of the Chief State's Attorney"),
    ("hart_lead_statewide", "Statewide HART Lead"),
    ("hart_director", "HART Director"),
    ("interstate_compact", "Interstate Compact Office"),
    ("eligibility_coordinator", "Eligibility Certification Coordinator"),
    ("ncmec", "NCMEC"),
    ("licensing", "Licensing Unit"),
    ("education", "Department of Education"),
)
_LEFT_THE_STATE_POLICE = {"Ledyard": date(2016, 7, 1), "East Lyme": date(2017, 7, 1)}
_TROOP_BEFORE = "csp_troop_e"
_GA_17_MERGED = date(2019, 9, 1)


@dataclass(frozen=True)
class Sample:
    """One sample agency, before it has an id, a key and an endpoint."""

    kind: str
    code: str
    name: str
    towns: tuple[str, ...] = ()
    beats: tuple[str, ...] = ()
    judicial_districts: tuple[str, ...] = ()
    offices: tuple[str, ...] = ()
    affiliations: tuple[str, ...] = ()
    seat: str | None = None
    mou: str | None = None
    effective: date | None = None
    """From when it is so; None: always. An agency with several has changed."""
    closed: bool = False
    successor: str | None = None


def sample_agencies(towns: Path = TOWNS) -> list[Sample]:
    """Everybody, and what has changed about some (the edge case C34)."""
    with towns.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    districts = sorted({row["judicial_district"] for row in rows})
    return [
        *(each for force in _forces_of(rows) for each in _history(force)),
        Sample("state_police", "csp_statewide", STATEWIDE),
        *(_part(*part) for part in _PARTS),
        *(Sample(kind, kind, f"Sample {name}") for kind, name in _STATEWIDE_OFFICES),
        *(each for district in districts for each in _of_district(district)),
        *_offices(rows),
        *_merged(),
    ]


def _forces_of(rows: Iterable[dict[str, str]]) -> Iterator[Sample]:
    """Where two forces share a town, each is an agency of that town; a troop's resident troopers
    are the troop."""
    policed: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        # `Putnam Police Department (part) / … Troop D (rest of town)` is two forces.
        for part in row["police_agency"].split("/"):
            name = re.sub(r"\s*\([^)]*\)\s*$", "", part.strip())
            policed[name] |= {row["town"]} - _BY_THE_HOUR
    for name in sorted(policed):
        code = _code(name)
        kind = "state_police" if name.startswith(_STATE_POLICE) else "municipal_police"
        towns = tuple(sorted(policed[name]))
        yield Sample(kind, code, f"Sample {name}", towns, _ALSO.get(code, ()))


def _history(force: Sample) -> Iterator[Sample]:
    """Ledyard and East Lyme had resident troopers before they had police of their own."""
    if force.code == _TROOP_BEFORE:
        towns = {*force.towns, *_LEFT_THE_STATE_POLICE}
        yield replace(force, towns=tuple(sorted(towns)))
        for town, day in _LEFT_THE_STATE_POLICE.items():
            towns.discard(town)
            yield replace(force, towns=tuple(sorted(towns)), effective=day)
    elif days := [day for town, day in _LEFT_THE_STATE_POLICE.items() if force.towns == (town,)]:
        yield replace(force, effective=days[0])
    else:
        yield force


def _part(kind: str, code: str, name: str, beat: str) -> Sample:
    mou = "Memorandum of agreement of 2014 (CGS 47-65c)" if kind == "tribal_police" else None
    return Sample(kind, code, f"Sample {name}", beats=(beat,), mou=mou)


def _of_district(district: str) -> Iterator[Sample]:
    """Its State's Attorney, and its team as a roll of members, each with a channel of its own."""
    at, mark = (district,), _code(district)
    prosecutor = f"Sample State's Attorney ({district})"
    yield Sample("states_attorney", f"states_attorney_{mark}", prosecutor, judicial_districts=at)
    seats = (("coordinator", "Coordinator", None), *(_SEATS if district == _FULL_ROLL else ()))
    for seat, title, affiliation in seats:
        yield Sample(
            "mdt_member",
            f"mdt_{mark}_{seat}",
            f"Sample MDT {title} ({district})",
            judicial_districts=at,
            affiliations=(affiliation,) if affiliation else (),
            seat=seat,
        )


def _offices(rows: Iterable[dict[str, str]]) -> Iterator[Sample]:
    served = sorted({(row["dcf_region"], row["dcf_area_office"]) for row in rows})
    for _, office in served:
        for kind, title in (
            ("hart_liaison", "HART Liaison"),
            ("hart_lead_local", "HART Lead"),
            ("regional_office", "DCF Office"),
        ):
            name = f"Sample {title} ({office})"
            yield Sample(kind, f"{kind}_{_code(office)}", name, offices=(office,))
    for region in sorted({region for region, _ in served}):
        at = (f"Region {region}",)
        name = f"Sample Special Investigations Unit (Region {region})"
        yield Sample("siu", f"siu_region_{region}", name, offices=at)


def _merged() -> Iterator[Sample]:
    """Geographical Area 17 (Bristol) went into GA 15 (New Britain) in 2019."""
    before = Sample(
        "states_attorney",
        "states_attorney_ga_17",
        "Sample State's Attorney (Geographical Area 17)",
        judicial_districts=("New Britain",),
    )
    yield before
    yield replace(
        before, effective=_GA_17_MERGED, closed=True, successor="states_attorney_new_britain"
    )


def _code(name: str) -> str:
    short = name.replace(_STATE_POLICE, "CSP").removesuffix(" Department")
    return re.sub(r"[^a-z0-9]+", "_", short.lower()).strip("_")
