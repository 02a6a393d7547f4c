"""A directory in which every hard case has its agencies, and routes through it. Nobody is real."""

from collections.abc import Iterable
from datetime import UTC, date, datetime

from services.notify.directory.agencies import Agency, Kind
from services.notify.directory.jurisdiction import beats
from services.notify.directory.register import Directory
from services.notify.directory.towns import dcf_offices, judicial_districts
from services.notify.routing.explain import explain
from services.notify.routing.facts import (
    Asserted,
    ChildFacts,
    Implicated,
    ImplicatedKind,
    Place,
    PlaceKind,
    ReferralFacts,
)
from services.notify.routing.fanout import route
from services.notify.routing.routes import Route
from services.notify.routing.rulebook import load_rulebook
from shared.contracts.codes import HtType, Role, Stage, Trigger

NOW = datetime(2026, 3, 3, 17, 0, tzinfo=UTC)
"""Noon in Connecticut."""
RULES = load_rulebook()
"""Frozen, and read once: reading them takes 50 ms, and most tests of notify need them."""

PROFILES = {
    Kind.FBI: "law_enforcement",
    Kind.CHIEF_STATES_ATTORNEY: "prosecution",
    Kind.HART_LEAD_STATEWIDE: "hart",
    Kind.HART_DIRECTOR: "hart",
    Kind.MDT_MEMBER: "mdt",
    Kind.NCMEC: "ncmec",
    Kind.ELIGIBILITY_COORDINATOR: "eligibility",
    Kind.LICENSING: "licensing",
    Kind.EDUCATION: "licensing",
    Kind.REGIONAL_OFFICE: "child_protection",
    Kind.SIU: "child_protection",
    Kind.INTERSTATE_COMPACT: "interstate",
}


def agency(
    code: str,
    kind: Kind,
    *towns: str,
    jd: Iterable[str] = (),
    beat: Iterable[str] = (),
    offices: Iterable[str] = (),
    of: Iterable[str] = (),
    number: int = 0,
) -> Agency:
    return Agency(
        agency_id=f"agy_{code}",
        kind=kind,
        name=code.replace("_", " ").title(),
        profile=PROFILES.get(kind, "law_enforcement"),
        towns=frozenset(towns),
        judicial_districts=frozenset(jd),
        authority="CGS 17a-28",
        authority_from=date(2020, 1, 1),
        encrypted_channel=True,
        code=code,
        beats=beats(beat),
        offices=frozenset(offices),
        affiliations=frozenset(of),
    )


AGENCIES = (
    agency("ansonia_police", Kind.MUNICIPAL_POLICE, "Ansonia"),
    agency("derby_police", Kind.MUNICIPAL_POLICE, "Derby"),
    agency("groton_town_police", Kind.MUNICIPAL_POLICE, "Groton"),
    agency("groton_city_police", Kind.MUNICIPAL_POLICE, beat=["Groton/groton_city"]),
    agency("long_point_police", Kind.MUNICIPAL_POLICE, beat=["Groton/groton_long_point"]),
    agency("colchester_police", Kind.MUNICIPAL_POLICE, beat=["Colchester@07:00-24:00"]),
    agency("willimantic_police", Kind.MUNICIPAL_POLICE, beat=["Windham/willimantic"]),
    agency("ledyard_police", Kind.MUNICIPAL_POLICE, "Ledyard"),
    agency("troop_k", Kind.STATE_POLICE, "Windham", beat=["Colchester@00:00-07:00"]),
    agency("troop_e", Kind.STATE_POLICE, "Montville"),
    agency("troop_c", Kind.STATE_POLICE, "Ashford", "Mansfield"),
    agency("state_police", Kind.STATE_POLICE),
    agency("mohegan_police", Kind.TRIBAL_POLICE, beat=["Montville/mohegan"]),
    agency("pequot_police", Kind.TRIBAL_POLICE, beat=["Ledyard/mashantucket_pequot"]),
    agency("uconn_police", Kind.CAMPUS_POLICE, beat=["Mansfield/uconn_storrs"]),
    agency("fbi", Kind.FBI),
    agency("chief_states_attorney", Kind.CHIEF_STATES_ATTORNEY),
    agency("hart_lead", Kind.HART_LEAD_STATEWIDE),
    agency("hart_director", Kind.HART_DIRECTOR),
    agency("mdt_milford_advocate", Kind.MDT_MEMBER, jd=["Ansonia-Milford"]),
    agency("mdt_milford_police", Kind.MDT_MEMBER, jd=["Ansonia-Milford"], of=["ansonia_police"]),
    agency("mdt_new_london", Kind.MDT_MEMBER, jd=["New London"]),
    agency("mdt_windham", Kind.MDT_MEMBER, jd=["Windham"]),
    agency("ncmec", Kind.NCMEC),
    agency("eligibility_coordinator", Kind.ELIGIBILITY_COORDINATOR),
    agency("licensing", Kind.LICENSING),
    agency("education", Kind.EDUCATION),
    agency("regional_office_milford", Kind.REGIONAL_OFFICE, offices=["Milford"]),
    agency("regional_office_norwich", Kind.REGIONAL_OFFICE, offices=["Norwich"]),
    agency("siu", Kind.SIU),
    agency("interstate_compact", Kind.INTERSTATE_COMPACT),
)


def directory(*agencies: Agency, version: int = 1) -> Directory:
    return Directory(version, agencies or AGENCIES, judicial_districts(), dcf_offices())


def changed(*replacements: Agency) -> Directory:
    """The directory with these in place of those of the same code."""
    codes = {each.code for each in replacements}
    kept = tuple(each for each in AGENCIES if each.code not in codes)
    return directory(*kept, *replacements)


def child(
    *incident: str,
    home: str | None = None,
    child_id: str = "chd_one",
    ht: HtType = HtType.SEX,
    places: Iterable[Place] = (),
    implicated: Iterable[Implicated] = (),
    **facts: object,
) -> ChildFacts:
    return ChildFacts(
        child_id,
        ht,
        home,
        frozenset(incident),
        places=frozenset(places),
        implicated=frozenset(implicated),
        **facts,  # type: ignore[arg-type]
    )


def routed(
    *children: ChildFacts,
    at: datetime = NOW,
    by: Directory | None = None,
    trigger: Trigger = Trigger.CARELINE,
    stage: Stage = Stage.RECEIVED,
    conflicts: Iterable[Asserted] = (),
) -> Route:
    facts = ReferralFacts(trigger, at, children, stage, frozenset(conflicts))
    return route(facts, by or directory(), RULES, NOW)


def told(found: Route, role: Role | None = None, child_id: str | None = None) -> set[str]:
    """Codes of the agencies told."""
    return {
        each.agency_id.removeprefix("agy_")
        for each in found.recipients
        if role in (None, each.role) and child_id in (None, each.child_id)
    }


def police(found: Route) -> set[str]:
    return told(found, Role.LOCAL_LAW_ENFORCEMENT)


def left_out(found: Route) -> set[str]:
    return {each.agency_id.removeprefix("agy_") for each in found.suppressed}


def counting_for(found: Route, role: Role) -> set[str]:
    return {e.agency_id.removeprefix("agy_") for e in found.stand_ins if e.role is role}


def sentences(found: Route, by: Directory | None = None) -> str:
    return "\n".join(each.sentence for each in explain(found, by or directory(), RULES))


def officer(kind: ImplicatedKind, agency: str | None = None) -> Implicated:
    return Implicated(kind, agency)


def place(kind: PlaceKind, **where: object) -> Place:
    return Place(kind, **where)  # type: ignore[arg-type]
