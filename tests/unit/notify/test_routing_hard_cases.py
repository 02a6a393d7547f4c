"""The edge cases of the domain that routing decides, by their numbers, and their explanations."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from services.notify.directory.agencies import Agency, Kind
from services.notify.planning.plan import DeliveryState, Earlier, plan_version
from services.notify.routing.choosing import Gap
from services.notify.routing.explain import questions
from services.notify.routing.facts import ImplicatedKind, PlaceKind
from services.notify.routing.routes import Route
from shared.contracts.codes import NoticeKind, RefusalReason, Role, Stage, Trigger
from tests.support.routing import (
    AGENCIES,
    NOW,
    RULES,
    agency,
    changed,
    child,
    directory,
    officer,
    place,
    police,
    routed,
    sentences,
    told,
)

EVERYWHERE = {"fbi", "chief_states_attorney", "hart_lead"}
DAY = NOW.date()


def asked(found: Route) -> str:
    return " ".join(questions(found))


def because(found: Route, code: str) -> str:
    return next(e.because for e in found.recipients if e.agency_id == f"agy_{code}")


def test_c1_town_unknown_goes_to_the_state_police_and_to_a_person() -> None:
    found = routed(child())
    assert police(found) == {"state_police"}
    assert found.unresolved == ("chd_one",)
    assert because(found, "state_police") == "State Police: town unresolved, CGS 17a-101b(c)"


def test_c1_a_place_that_nobody_knows_is_a_town_unknown() -> None:
    found = routed(child(home="Ansonia", places=[place(PlaceKind.UNKNOWN)]))
    assert police(found) == {"ansonia_police", "state_police"}
    assert found.unresolved == ("chd_one",)


def test_c1_the_incident_town_unknown_asks_a_person_though_the_home_town_is_known() -> None:
    found = routed(child(home="Ansonia"))
    assert police(found) == {"ansonia_police"}, "the home town's police, and nobody by a guess"
    assert found.gaps == {"chd_one": (Gap.INCIDENT,)}
    assert "where it happened, or where else, is not known" in asked(found)


def test_c1_a_further_place_that_nobody_knows_asks_a_person_though_a_town_is_named() -> None:
    found = routed(child("Ansonia", places=[place(PlaceKind.UNKNOWN)]))
    assert police(found) == {"ansonia_police"}
    assert found.gaps == {"chd_one": (Gap.INCIDENT,)}


def test_c2_residence_out_of_state_is_told_by_incident_town_and_ico_only_when_accepted() -> None:
    facts = child("Ansonia", residence_state="NY")
    assert told(routed(facts)) == {
        "ansonia_police",
        "mdt_milford_advocate",
        "mdt_milford_police",
        *EVERYWHERE,
    }
    assert routed(facts).unresolved == ()
    accepted = routed(facts, stage=Stage.ACCEPTED)
    assert told(accepted) == {"interstate_compact", "regional_office_milford"}
    assert because(accepted, "interstate_compact") == (
        "Interstate Compact: accepted, and the child lives in another state, CGS 17a-175"
    )


@pytest.mark.parametrize(
    ("leave", "ico", "asks"),
    [
        ({"travel_authorized": False}, True, False),
        ({"missing_from_care": True}, True, False),
        ({}, False, True),
        ({"travel_authorized": True}, False, False),
    ],
)
def test_c3_incident_out_of_state_goes_to_residence_police_and_ico_only_without_leave(
    leave: dict[str, Any], ico: bool, asks: bool
) -> None:
    facts = child(home="Ansonia", places=[place(PlaceKind.OUT_OF_STATE)], **leave)
    found = routed(facts)
    assert police(found) == {"ansonia_police"}
    assert "fbi" in told(found)
    assert found.unresolved == ()
    accepted = routed(facts, stage=Stage.ACCEPTED)
    assert ("interstate_compact" in told(accepted)) is ico
    assert any(each.role is Role.INTERSTATE_COMPACT for each in accepted.matters) is asks


@pytest.mark.parametrize(
    "kind", [PlaceKind.OUT_OF_STATE, PlaceKind.OUT_OF_COUNTRY, PlaceKind.INTERNET]
)
def test_c2_c3_out_of_state_both_ways_asks_whom_to_ask_there_and_not_for_a_town(
    kind: PlaceKind,
) -> None:
    facts = child(places=[place(kind)], residence_state="NY")
    found = routed(facts)
    assert police(found) == {"state_police"}
    assert "fbi" in told(found)
    assert found.gaps == {"chd_one": (Gap.ELSEWHERE,)}
    assert "Interstate Compact Office" in asked(found)
    assert "no town of Connecticut is known" not in asked(found)
    assert "interstate_compact" in told(routed(facts, stage=Stage.ACCEPTED))


@pytest.mark.parametrize(
    "facts",
    [
        {"residence_state": "NY"},
        {"places": [place(PlaceKind.OUT_OF_STATE)]},
        {"places": [place(PlaceKind.OUT_OF_STATE)], "residence_state": "CT"},
        {
            "places": [place(PlaceKind.OUT_OF_STATE), place(PlaceKind.UNKNOWN)],
            "residence_state": "NY",
        },
    ],
)
def test_c1_where_a_town_may_yet_be_found_out_it_is_asked_for(facts: dict[str, Any]) -> None:
    assert routed(child(**facts)).gaps == {"chd_one": (Gap.NO_TOWN,)}


def test_c25_c3_a_protected_home_in_another_state_is_not_asked_about() -> None:
    facts = child(
        places=[place(PlaceKind.OUT_OF_STATE)], residence_state="NY", address_confidential=True
    )
    assert routed(facts).gaps == {}


def test_c4_both_towns_police_and_the_residences_mdt_as_participant() -> None:
    found = routed(child("Ansonia", home="Ledyard"))
    assert police(found) == {"ansonia_police", "ledyard_police"}
    assert told(found, Role.MDT) == {"mdt_milford_advocate", "mdt_milford_police", "mdt_new_london"}
    assert "as participant" in because(found, "mdt_new_london")
    assert "participant" not in because(found, "mdt_milford_advocate")


def test_c5_several_towns_and_districts_are_a_set_each_told_once() -> None:
    found = routed(child("Ansonia", "Derby", "Groton"))
    assert police(found) == {"ansonia_police", "derby_police", "groton_town_police"}
    assert told(found, Role.MDT) == {"mdt_milford_advocate", "mdt_milford_police", "mdt_new_london"}
    legs = [each.leg for each in found.recipients]
    assert len(legs) == len(set(legs))


def test_c6_internet_only_goes_to_residence_police_and_fbi_with_no_question() -> None:
    found = routed(child(home="Ansonia", places=[place(PlaceKind.INTERNET)]))
    assert police(found) == {"ansonia_police"}
    assert "fbi" in told(found)
    assert found.unresolved == ()


def test_c6_internet_only_without_a_residence_is_a_town_unknown() -> None:
    found = routed(child(places=[place(PlaceKind.INTERNET)]))
    assert police(found) == {"state_police"}
    assert found.unresolved == ("chd_one",)


@pytest.mark.parametrize(
    ("nation", "tribal"),
    [("mohegan", "mohegan_police"), ("mashantucket_pequot", "pequot_police")],
)
def test_c7_tribal_land_goes_to_tribal_police_and_state_police_for_felonies(
    nation: str, tribal: str
) -> None:
    found = routed(child(places=[place(PlaceKind.TRIBAL_LAND, nation=nation)]))
    assert police(found) == {tribal, "state_police"}
    assert because(found, tribal).endswith("tribal land, CGS 17a-101b(c)")
    assert "felonies on tribal land" in because(found, "state_police")
    assert found.unresolved == ()


def test_c7_tribal_land_of_no_nation_named_tells_those_with_land_in_the_town_and_asks() -> None:
    found = routed(child("Montville", places=[place(PlaceKind.TRIBAL_LAND, town="Montville")]))
    assert police(found) == {"mohegan_police", "troop_e", "state_police"}
    assert found.gaps == {"chd_one": (Gap.PART,)}
    nowhere = routed(child("Ansonia", places=[place(PlaceKind.TRIBAL_LAND)]))
    assert police(nowhere) == {"ansonia_police", "state_police"}
    assert nowhere.gaps == {"chd_one": (Gap.INCIDENT,)}


def test_c7_a_nations_land_said_to_lie_in_another_town_tells_both_and_asks() -> None:
    where = place(PlaceKind.TRIBAL_LAND, town="Ansonia", nation="mohegan")
    found = routed(child("Ansonia", places=[where]))
    assert police(found) == {"ansonia_police", "mohegan_police", "state_police"}
    assert found.gaps == {"chd_one": (Gap.INCIDENT,)}
    golden = place(PlaceKind.TRIBAL_LAND, town="Colchester", nation="golden_hill_paugussett")
    found = routed(child("Colchester", places=[golden]))
    assert police(found) == {"colchester_police", "state_police"}
    assert found.gaps == {"chd_one": (Gap.INCIDENT,)}


def test_c1_somewhere_in_the_state_beside_a_town_that_is_known_is_asked_about() -> None:
    found = routed(child("Ansonia", places=[place(PlaceKind.IN_STATE)]))
    assert police(found) == {"ansonia_police"}
    assert found.gaps == {"chd_one": (Gap.INCIDENT,)}
    alone = routed(child(home="Ansonia", places=[place(PlaceKind.IN_STATE)]))
    assert police(alone) == {"ansonia_police", "state_police"}
    assert alone.gaps == {"chd_one": (Gap.INCIDENT,)}


@pytest.mark.parametrize(
    ("town", "district", "expected"),
    [
        ("Groton", "groton_city", {"groton_city_police"}),
        ("Groton", "groton_long_point", {"long_point_police"}),
        ("Groton", "groton_town", {"groton_town_police"}),
        ("Groton", None, {"groton_town_police"}),
        ("Windham", "willimantic", {"willimantic_police"}),
        ("Windham", None, {"troop_k"}),
        ("Mansfield", "uconn_storrs", {"uconn_police"}),
        ("Mansfield", None, {"troop_c"}),
    ],
)
def test_c8_parts_of_towns_have_police_of_their_own(
    town: str, district: str | None, expected: set[str]
) -> None:
    where = place(PlaceKind.IN_STATE, town=town, district=district)
    assert police(routed(child(town, places=[where]))) == expected


@pytest.mark.parametrize(
    ("town", "of_the_town"), [("Groton", {"groton_town_police"}), ("Windham", {"troop_k"})]
)
def test_c8_a_town_with_police_by_district_and_no_district_asks_and_tells_the_towns_police(
    town: str, of_the_town: set[str]
) -> None:
    for facts in (child(town), child(town, places=[place(PlaceKind.IN_STATE, town=town)])):
        found = routed(facts)
        assert police(found) == of_the_town
        assert found.gaps == {"chd_one": (Gap.PART,)}
        assert "nobody says in which part" in asked(found)
        assert town not in asked(found)


def test_c8_the_district_of_one_place_does_not_speak_for_another_in_the_same_town() -> None:
    city = place(PlaceKind.IN_STATE, town="Groton", district="groton_city")
    found = routed(child("Groton", places=[city, place(PlaceKind.IN_STATE, town="Groton")]))
    assert police(found) == {"groton_city_police", "groton_town_police"}
    assert found.gaps == {"chd_one": (Gap.PART,)}


@pytest.mark.parametrize("town", ["Mansfield", "Montville", "Ansonia", "Colchester"])
def test_c8_a_campus_a_reservation_or_an_hour_asks_nobody_when_only_the_town_is_named(
    town: str,
) -> None:
    assert routed(child(town)).gaps == {}


def test_c6_internet_only_asks_nobody_whatever_the_parts_of_the_home_town() -> None:
    found = routed(child(home="Groton", places=[place(PlaceKind.INTERNET)]))
    assert police(found) == {"groton_town_police"}
    assert found.gaps == {}


@pytest.mark.parametrize(
    ("utc_hour", "expected"),
    [(17, "colchester_police"), (4, "colchester_police"), (5, "troop_k"), (11, "troop_k")],
)
def test_c8_colchester_by_the_hour_of_the_incident(utc_hour: int, expected: str) -> None:
    """In winter Connecticut is five hours behind: 04:00Z is 23:00 and 05:00Z is midnight."""
    hour = datetime(2026, 3, 2, utc_hour, 0, tzinfo=UTC)
    where = place(PlaceKind.IN_STATE, town="Colchester", occurred_at=hour)
    assert police(routed(child("Colchester", places=[where]))) == {expected}


def test_c8_without_an_hour_the_time_of_receipt_decides_so_that_versions_agree() -> None:
    night = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)
    assert police(routed(child("Colchester"), at=night)) == {"troop_k"}
    assert police(routed(child("Colchester"), at=NOW)) == {"colchester_police"}


def test_c8_resident_troopers_police_their_town() -> None:
    assert police(routed(child("Ashford"))) == {"troop_c"}


def _held(code: str, version: int = 1, state: DeliveryState = DeliveryState.DELIVERED) -> Earlier:
    return Earlier(
        f"ntc_{code}_{version}",
        "ref_one",
        "chd_one",
        f"agy_{code}",
        Role.LOCAL_LAW_ENFORCEMENT,
        version,
        NoticeKind.ORIGINAL,
        state,
        may_hold=True,
    )


def test_c13_a_correction_reaches_who_is_in_the_route_and_a_supersession_who_left_it() -> None:
    found = routed(child("Derby"))
    plan = plan_version(found, [_held("derby_police"), _held("ansonia_police")], directory(), DAY)
    kinds = {each.agency_id: (each.kind, each.profile) for each in plan.notices}
    assert kinds["agy_derby_police"] == (NoticeKind.CORRECTION, "law_enforcement")
    assert kinds["agy_ansonia_police"] == (NoticeKind.SUPERSESSION, None)


def test_c24_each_child_has_its_own_recipients_and_is_in_nobody_elses() -> None:
    found = routed(child("Ansonia", child_id="chd_a"), child("Groton", child_id="chd_b"))
    police_role = Role.LOCAL_LAW_ENFORCEMENT
    assert told(found, police_role, "chd_a") == {"ansonia_police"}
    assert told(found, police_role, "chd_b") == {"groton_town_police"}


def test_c25_a_protected_residence_tells_the_state_police_and_never_the_towns() -> None:
    facts = child("Ansonia", home="Derby", address_confidential=True)
    found = routed(facts)
    assert police(found) == {"ansonia_police", "state_police"}
    assert found.unresolved == ()
    assert because(found, "state_police") == (
        "State Police: in place of the residence town's police, CGS 17a-101b(c)"
    )
    assert "Derby" not in sentences(found)
    same_jd = routed(child("Ansonia", home="Groton", address_confidential=True))
    assert told(same_jd) == told(found), "the route must not tell where the child lives"


def test_c25_a_protected_residence_alone_says_nothing_to_any_town_or_district() -> None:
    found = routed(child(home="Derby", address_confidential=True))
    assert police(found) == {"state_police"}
    assert told(found, Role.MDT) == set()
    assert found.unresolved == ("chd_one",)


def test_c26_a_child_missing_from_care_is_reported_to_ncmec_too() -> None:
    found = routed(child("Ansonia", missing_from_care=True))
    assert "ncmec" in told(found)
    assert because(found, "ncmec") == (
        "Ncmec: the child is missing from care, 42 USC 671(a)(35)(B)"
    )
    assert "ncmec" not in told(routed(child("Ansonia")))
    assert "ncmec" not in told(routed(child("Ansonia", missing_from_care=False)))


def test_c27_a_foreign_child_goes_to_the_coordinator_and_to_no_immigration_authority() -> None:
    found = routed(child("Ansonia", foreign_national=True))
    more = told(found) - told(routed(child("Ansonia")))
    assert more == {"eligibility_coordinator"}
    assert not any("immigration" in kind for kind in Kind)


def test_c28_an_operation_is_no_referral_and_no_rule_can_carry_it() -> None:
    assert set(Trigger) == {Trigger.CARELINE, Trigger.ONGOING_WORKER}
    words = [rule.id + rule.because + rule.purpose for rule in RULES.rules]
    assert not any("operation" in each.lower() for each in words)


def test_c34_a_town_that_changed_its_police_is_told_by_the_directory_of_the_day() -> None:
    """Ledyard left the State Police's supervision: the directory of before, and of after."""
    before = changed(
        agency("troop_e", Kind.STATE_POLICE, "Montville", "Ledyard"),
        agency("ledyard_police", Kind.MUNICIPAL_POLICE),
    )
    facts = child("Ledyard")
    assert police(routed(facts, by=before)) == {"troop_e"}
    assert police(routed(facts)) == {"ledyard_police"}
    plan = plan_version(routed(facts), [_held("troop_e")], directory(), DAY)
    kinds = {each.agency_id: each.kind for each in plan.notices}
    assert kinds["agy_troop_e"] is NoticeKind.SUPERSESSION


def test_c34_an_agency_that_closed_is_refused_and_a_person_is_told() -> None:
    closed = replace(_agency("ansonia_police"), authority_to=DAY.replace(day=1))
    found = routed(child("Ansonia"), by=changed(closed))
    assert [(leg.agency_id, leg.reason) for leg in found.refused] == [
        ("agy_ansonia_police", RefusalReason.AUTHORITY_EXPIRED)
    ]


def _agency(code: str) -> Agency:
    return next(each for each in AGENCIES if each.code == code)


def test_c11_what_is_not_accepted_still_goes_out_and_acceptance_repeats_none_of_it() -> None:
    facts = child("Ansonia", home="Groton")
    accepted = routed(facts, stage=Stage.ACCEPTED)
    assert told(accepted) == {"regional_office_norwich"}
    assert {each.form.value for each in accepted.recipients} == {"dcf_823"}
    assert told(accepted).isdisjoint(told(routed(facts)))


def test_the_consults_outcome_goes_to_the_mdt_alone() -> None:
    """`consult.mdt`."""
    found = routed(child("Ansonia"), stage=Stage.CONSULT_SHARED)
    assert told(found) == {"mdt_milford_advocate", "mdt_milford_police"}
    assert {each.form.value for each in found.recipients} == {"consult_outcome"}


@pytest.mark.parametrize("trigger", Trigger)
def test_every_737_is_the_directors_to_review_and_that_discloses_nothing(trigger: Trigger) -> None:
    """`every.hart_director_review`."""
    found = routed(child("Ansonia"), trigger=trigger)
    (review,) = found.matters
    assert (review.role, review.effect.value) == (Role.HART_DIRECTOR, "review")
    assert "accepted or not" in sentences(found)


def test_c18_dcfs_own_people_implicated_goes_to_siu_and_licensing_not_to_the_office() -> None:
    facts = child("Ansonia", implicated=[officer(ImplicatedKind.FACILITY, "Example Home")])
    assert "licensing" in told(routed(facts))
    accepted = routed(facts, stage=Stage.ACCEPTED)
    assert told(accepted) == {"siu"}
    assert because(accepted, "siu").startswith("Siu: in place of the Regional Office")


def test_c18_a_dcf_employee_leaves_the_office_out_and_needs_no_licence() -> None:
    facts = child("Ansonia", implicated=[officer(ImplicatedKind.DCF_EMPLOYEE)])
    assert "licensing" not in told(routed(facts))
    assert told(routed(facts, stage=Stage.ACCEPTED)) == {"siu"}


def test_c18_a_school_employee_is_educations_matter_once_accepted() -> None:
    facts = child("Ansonia", implicated=[officer(ImplicatedKind.SCHOOL_EMPLOYEE)])
    assert "education" not in told(routed(facts))
    assert "education" in told(routed(facts, stage=Stage.ACCEPTED))
