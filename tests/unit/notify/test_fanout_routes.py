"""Who is told, and why, for the shapes that a child's towns can take."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from services.notify.directory.agencies import Agency, Kind
from services.notify.directory.register import Directory
from services.notify.directory.towns import judicial_districts
from services.notify.routing.facts import ChildFacts, ReferralFacts
from services.notify.routing.fanout import route
from services.notify.routing.routes import Recipient, Route
from services.notify.routing.rulebook import load_rulebook
from shared.contracts.codes import HtType, RefusalReason, Role, Trigger

TODAY = date(2026, 3, 3)
NOW = datetime(2026, 3, 3, 14, 0, tzinfo=UTC)
RULES = load_rulebook()


def agency(kind: Kind, name: str, profile: str, *towns: str, jd: tuple[str, ...] = ()) -> Agency:
    return Agency(
        agency_id="agy_" + name.lower().replace(" ", "_"),
        kind=kind,
        name=name,
        profile=profile,
        towns=frozenset(towns),
        judicial_districts=frozenset(jd),
        authority="CGS 17a-28",
        authority_from=date(2020, 1, 1),
        encrypted_channel=True,
    )


ANSONIA = agency(Kind.MUNICIPAL_POLICE, "Ansonia Police", "law_enforcement", "Ansonia")
DERBY = agency(Kind.MUNICIPAL_POLICE, "Derby Police", "law_enforcement", "Derby")
TROOP = agency(Kind.STATE_POLICE, "Troop L", "law_enforcement", "Warren", "Morris")
STATE = agency(Kind.STATE_POLICE, "State Police", "law_enforcement")
FBI = agency(Kind.FBI, "FBI", "law_enforcement")
CSA = agency(Kind.CHIEF_STATES_ATTORNEY, "Chief States Attorney", "prosecution")
LEAD = agency(Kind.HART_LEAD_STATEWIDE, "HART Lead", "hart")
DIRECTOR = agency(Kind.HART_DIRECTOR, "HART Director", "hart")
MILFORD = agency(Kind.MDT_MEMBER, "MDT Milford", "mdt", jd=("Ansonia-Milford",))
LITCHFIELD = agency(Kind.MDT_MEMBER, "MDT Litchfield", "mdt", jd=("Litchfield",))
EVERYBODY = (
    ANSONIA,
    DERBY,
    TROOP,
    STATE,
    FBI,
    CSA,
    LEAD,
    DIRECTOR,
    MILFORD,
    LITCHFIELD,
)


def directory(*agencies: Agency) -> Directory:
    return Directory(1, agencies or EVERYBODY, judicial_districts())


def child(*incident: str, home: str | None = None, ht: HtType = HtType.SEX) -> ChildFacts:
    return ChildFacts("chd_one", ht, home, frozenset(incident))


def routed(
    facts: ChildFacts, agencies: Directory | None = None, trigger: Trigger = Trigger.CARELINE
) -> Route:
    return route(ReferralFacts(trigger, NOW, (facts,)), agencies or directory(), RULES, NOW)


def told(found: Route, role: Role | None = None) -> set[str]:
    return {r.agency_id for r in found.recipients if role in (None, r.role)}


def reasons(found: Route) -> dict[str, str]:
    return {recipient.agency_id: recipient.because for recipient in found.recipients}


def test_the_five_of_the_careline_route_are_told_and_nobody_else() -> None:
    """`careline.local_police`, `careline.hart_lead`, `careline.fbi`,
    `careline.chief_states_attorney`, `careline.mdt`."""
    found = routed(child("Ansonia"))
    assert told(found) == {a.agency_id for a in (ANSONIA, LEAD, FBI, CSA, MILFORD)}
    assert found.refused == ()
    assert found.unresolved == ()


def test_the_ongoing_worker_route_has_the_director_in_place_of_the_lead() -> None:
    """`ongoing.local_police`, `ongoing.hart_director`, `ongoing.fbi`,
    `ongoing.chief_states_attorney`, `ongoing.mdt`."""
    found = routed(child("Ansonia"), trigger=Trigger.ONGOING_WORKER)
    assert told(found) == {a.agency_id for a in (ANSONIA, DIRECTOR, FBI, CSA, MILFORD)}


def test_every_recipient_is_explained_in_words_that_name_no_town() -> None:
    found = reasons(routed(child("Warren", home="Morris")))
    assert found[TROOP.agency_id] == "Troop L: incident town and residence town, CGS 17a-101b(c)"
    assert found[LITCHFIELD.agency_id] == (
        "MDT Litchfield: judicial district of the incident town, CGS 17a-106a"
    )
    assert found[FBI.agency_id] == "FBI: told of every Careline referral, DCF Policy 21-14"
    assert not any(town in words for words in found.values() for town in ("Warren", "Morris"))


def test_police_of_the_incident_and_of_the_residence_town_are_both_told() -> None:
    found = routed(child("Ansonia", home="Derby"))
    police = Role.LOCAL_LAW_ENFORCEMENT
    assert told(found, police) == {ANSONIA.agency_id, DERBY.agency_id}


def test_the_mdt_of_the_incident_leads_and_that_of_the_residence_takes_part() -> None:
    found = routed(child("Ansonia", home="Warren"))
    assert told(found, Role.MDT) == {MILFORD.agency_id, LITCHFIELD.agency_id}
    assert reasons(found)[LITCHFIELD.agency_id] == (
        "MDT Litchfield: judicial district of the residence town, as participant, CGS 17a-106a"
    )
    assert told(routed(child(home="Warren")), Role.MDT) == {LITCHFIELD.agency_id}


def test_an_agency_that_serves_two_towns_of_a_child_is_told_once() -> None:
    found = routed(child("Warren", "Morris"))
    assert [r.agency_id for r in found.recipients].count(TROOP.agency_id) == 1


def test_town_unknown_goes_to_the_state_police_and_to_a_person_and_the_mdt_is_refused() -> None:
    found = routed(child())
    assert told(found, Role.LOCAL_LAW_ENFORCEMENT) == {STATE.agency_id}
    assert found.unresolved == ("chd_one",)
    assert [(leg.role, leg.agency_id, leg.reason) for leg in found.refused] == [
        (Role.MDT, None, RefusalReason.NO_AGENCY_FOR_ROLE)
    ]


def test_a_town_that_nobody_on_file_polices_is_unresolved_and_never_drops_the_duty() -> None:
    found = routed(child("Ansonia", home="Hartford"))
    assert told(found, Role.LOCAL_LAW_ENFORCEMENT) == {ANSONIA.agency_id, STATE.agency_id}
    assert found.unresolved == ("chd_one",)


@pytest.mark.parametrize("trigger", Trigger)
def test_labour_trafficking_is_told_without_the_citation_of_the_twelve_hours(
    trigger: Trigger,
) -> None:
    """`careline.local_police.labor`, `ongoing.local_police.labor`."""
    found = routed(child("Ansonia", ht=HtType.LABOR), trigger=trigger)
    police = next(r for r in found.recipients if r.role is Role.LOCAL_LAW_ENFORCEMENT)
    assert police.authority == "DCF Policy 21-14; CGS 17a-28"
    assert "17a-101b" not in police.because


def test_the_authority_names_the_duty_and_what_is_on_file_each_once() -> None:
    on_file = replace(ANSONIA, authority="CGS 17a-28; CGS 17a-101b(c)")
    found = routed(child("Ansonia"), directory(on_file))
    assert found.recipients[0].authority == "CGS 17a-28; CGS 17a-101b(c)"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"authority": None}, RefusalReason.NO_AUTHORITY_ON_FILE),
        ({"authority": ""}, RefusalReason.NO_AUTHORITY_ON_FILE),
        ({"authority_from": None}, RefusalReason.NO_AUTHORITY_ON_FILE),
        ({"authority_from": date(2026, 3, 4)}, RefusalReason.AUTHORITY_NOT_YET_IN_FORCE),
        ({"authority_to": date(2026, 3, 2)}, RefusalReason.AUTHORITY_EXPIRED),
        ({"encrypted_channel": False}, RefusalReason.NO_ENCRYPTION_KEY),
        ({"profile": "hart"}, RefusalReason.NO_AUTHORITY_ON_FILE),
    ],
)
def test_p3_who_may_not_be_told_is_refused_and_the_others_are_told(
    change: dict[str, object], reason: RefusalReason
) -> None:
    barred = replace(ANSONIA, **change)  # type: ignore[arg-type]
    found = routed(child("Ansonia"), directory(barred, *EVERYBODY[1:]))
    assert ANSONIA.agency_id not in told(found)
    assert [(leg.agency_id, leg.reason) for leg in found.refused] == [(ANSONIA.agency_id, reason)]
    assert len(told(found)) == 4


def test_p3_an_authority_is_in_force_on_its_first_and_on_its_last_day() -> None:
    one_day = replace(ANSONIA, authority_from=TODAY, authority_to=TODAY)
    assert ANSONIA.agency_id in told(routed(child("Ansonia"), directory(one_day)))


def test_p3_an_empty_directory_refuses_every_role_and_loses_none() -> None:
    found = routed(child("Ansonia"), Directory(1, (), judicial_districts()))
    assert found.recipients == ()
    assert {leg.role for leg in found.refused} == {
        Role.LOCAL_LAW_ENFORCEMENT,
        Role.HART_LEAD_STATEWIDE,
        Role.FBI,
        Role.CHIEF_STATES_ATTORNEY,
        Role.MDT,
    }


def test_each_child_has_its_own_recipients() -> None:
    """Two children of one referral with different towns."""
    children = [
        ChildFacts("chd_b", HtType.SEX, None, frozenset({"Derby"})),
        ChildFacts("chd_a", HtType.SEX, None, frozenset({"Ansonia"})),
    ]
    referral = ReferralFacts(Trigger.CARELINE, NOW, tuple(children))
    found = route(referral, directory(), RULES, NOW)
    police = [
        (r.child_id, r.agency_id) for r in found.recipients if r.role is Role.LOCAL_LAW_ENFORCEMENT
    ]
    assert police == [("chd_a", ANSONIA.agency_id), ("chd_b", DERBY.agency_id)]


def test_a_synthetic_referral_reaches_samples_only_and_production_none_of_them() -> None:
    mixed = directory(replace(ANSONIA, sample=True), DERBY)
    assert [a.agency_id for a in mixed.samples.agencies] == [ANSONIA.agency_id]
    assert [a.agency_id for a in mixed.without_samples().agencies] == [DERBY.agency_id]


def test_recipients_are_values() -> None:
    found = routed(child("Ansonia"))
    assert all(isinstance(each, Recipient) for each in found.recipients)
    assert found == routed(child("Ansonia"))
