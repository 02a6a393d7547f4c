"""C16, C17: who is implicated learns nothing, and who stands in is told (P3)."""

from dataclasses import replace

import pytest

from services.notify.conflicts.rules import bound_by
from services.notify.directory.agencies import Kind
from services.notify.directory.register import Directory, Former
from services.notify.planning.plan import DeliveryState, Earlier, plan_version
from services.notify.routing.facts import Asserted, Implicated, ImplicatedKind, PlaceKind
from shared.contracts.codes import NoticeKind, RefusalReason, Role
from tests.support.routing import (
    AGENCIES,
    NOW,
    agency,
    changed,
    child,
    counting_for,
    directory,
    left_out,
    officer,
    place,
    police,
    routed,
    sentences,
    told,
)

FULL_WIDTH = "\uff21\uff4e\uff53\uff4f\uff4e\uff49\uff41 \uff30\uff4f\uff4c\uff49\uff43\uff45"
LOCAL = Role.LOCAL_LAW_ENFORCEMENT
STATE = {"troop_k", "troop_e", "troop_c", "state_police"}


def municipal(agency: str | None = "Ansonia Police") -> Implicated:
    return officer(ImplicatedKind.MUNICIPAL_OFFICER, agency)


@pytest.mark.parametrize(
    "named", ["Ansonia Police", "ansonia_police", "ANSONIA  police", FULL_WIDTH]
)
def test_c16_a_municipal_officer_the_state_police_fbi_and_chief_states_attorney_stand_in(
    named: str,
) -> None:
    found = routed(child("Ansonia", implicated=[municipal(named)]))
    assert "ansonia_police" in left_out(found)
    assert police(found) == {"state_police"}
    assert counting_for(found, LOCAL) == {"fbi", "chief_states_attorney"}
    assert found.unnamed == ()
    assert found.refused == ()


def test_c16_the_officers_colleague_on_the_mdt_is_left_out_and_the_others_are_not() -> None:
    found = routed(child("Ansonia", implicated=[municipal()]))
    assert left_out(found) == {"ansonia_police", "mdt_milford_police"}
    assert told(found, Role.MDT) == {"mdt_milford_advocate"}


def test_c16_the_other_towns_police_are_told_as_ever() -> None:
    found = routed(child("Ansonia", home="Derby", implicated=[municipal()]))
    assert police(found) == {"derby_police", "state_police"}


def test_c16_a_trooper_leaves_out_all_state_police_and_fbi_and_prosecutor_stand_in() -> None:
    found = routed(child("Ashford", implicated=[officer(ImplicatedKind.STATE_TROOPER)]))
    assert police(found) == set()
    assert left_out(found) == {"troop_c"}
    assert counting_for(found, LOCAL) == {"fbi", "chief_states_attorney"}
    assert told(found).isdisjoint(STATE)


def test_c16_a_trooper_and_no_town_tells_the_fbi_and_not_the_state_police() -> None:
    found = routed(child(implicated=[officer(ImplicatedKind.STATE_TROOPER)]))
    assert told(found).isdisjoint(STATE)
    assert counting_for(found, LOCAL) == {"fbi", "chief_states_attorney"}


def test_c16_police_of_a_town_that_troopers_police_too_are_of_one_house_with_them() -> None:
    facts = child("Colchester", implicated=[municipal("colchester_police")])
    found = routed(facts)
    assert told(found).isdisjoint({"colchester_police", *STATE})
    assert counting_for(found, LOCAL) == {"fbi", "chief_states_attorney"}


def test_c16_a_constable_of_a_resident_trooper_town_is_a_matter_of_the_troopers() -> None:
    found = routed(child("Ashford", implicated=[municipal("Ashford Constables")]))
    assert told(found).isdisjoint(STATE)
    assert counting_for(found, LOCAL) == {"fbi", "chief_states_attorney"}


def test_c16_an_officer_of_nobody_knows_whose_leaves_out_every_department_and_asks() -> None:
    found = routed(child("Ansonia", home="Derby", implicated=[municipal(None)]))
    assert police(found) == {"state_police"}
    assert {"ansonia_police", "derby_police"} <= left_out(found)
    assert found.unnamed == ("chd_one",)


def test_c16_a_relative_of_an_officer_is_as_the_officer() -> None:
    named = officer(ImplicatedKind.RELATIVE_OF_ONE, "Ansonia Police")
    found = routed(child("Ansonia", implicated=[named]))
    assert police(found) == {"state_police"}


def test_c16_a_federal_officer_leaves_out_the_fbi_and_others_stand_in() -> None:
    found = routed(child("Ansonia", implicated=[officer(ImplicatedKind.FEDERAL_OFFICER)]))
    assert "fbi" not in told(found)
    assert told(found, Role.FBI) == {"state_police"}
    assert counting_for(found, Role.FBI) == {"chief_states_attorney"}


def test_c16_a_tribal_officer_the_state_police_are_told_anyway() -> None:
    found = routed(
        child("Montville", implicated=[officer(ImplicatedKind.TRIBAL_OFFICER, "mohegan_police")])
    )
    assert "mohegan_police" not in told(found)
    assert police(found) == {"troop_e"}
    assert found.unnamed == ()


@pytest.mark.parametrize(
    ("kind", "named", "out"),
    [
        (ImplicatedKind.STATE_TROOPER, "Ansonia Police", STATE),
        (ImplicatedKind.FEDERAL_OFFICER, "Ansonia Police", {"fbi"}),
        (ImplicatedKind.MUNICIPAL_OFFICER, "FBI", {"fbi", "derby_police"}),
        (ImplicatedKind.MUNICIPAL_OFFICER, "Troop Zed", {"derby_police", *STATE}),
        (ImplicatedKind.MUNICIPAL_OFFICER, "Mohegan Police", {"mohegan_police", "derby_police"}),
        (ImplicatedKind.PROSECUTOR, "Ansonia Police", {"chief_states_attorney"}),
    ],
)
def test_c16_p3_where_the_person_and_the_agency_named_disagree_both_are_left_out_and_one_asks(
    kind: ImplicatedKind, named: str, out: set[str]
) -> None:
    found = routed(child("Ansonia", "Derby", "Montville", implicated=[officer(kind, named)]))
    assert told(found).isdisjoint({"ansonia_police", *out})
    assert found.unnamed == ("chd_one",)


@pytest.mark.parametrize("kind", [ImplicatedKind.OTHER, ImplicatedKind.SCHOOL_EMPLOYEE])
@pytest.mark.parametrize("named", ["Anzonia PD", "Constables of Ansonia", "Ansonia Police Dept."])
def test_c16_p3_anybody_of_a_department_that_is_not_on_file_as_written_leaves_all_police_out(
    kind: ImplicatedKind, named: str
) -> None:
    found = routed(child("Ansonia", implicated=[officer(kind, named)]))
    assert police(found) == set()
    assert counting_for(found, LOCAL) == {"fbi", "chief_states_attorney"}
    assert found.unnamed == ("chd_one",)


ANSONIA = [
    "Ansonia Police Detective Bureau",
    "Ansonia Police / FBI Safe Streets",
    "Ansonia PD - Troop liaison",
    "Ansonia Police and Troop K",
    "federal task force, Ansonia Police",
    "Ansonia P. D.",
    "Ansonia detective",
    "AnsoniaPolice",
    "ansonia_police_dept",
    "Ansonia P\u043elice Dept",
]


@pytest.mark.parametrize("kind", ImplicatedKind)
@pytest.mark.parametrize("named", ANSONIA)
def test_c16_p3_however_a_department_is_written_it_is_left_out_and_a_person_asked(
    kind: ImplicatedKind, named: str
) -> None:
    found = routed(child("Ansonia", implicated=[officer(kind, named)]))
    assert "ansonia_police" not in told(found)
    assert "mdt_milford_police" not in told(found)
    assert found.unnamed == ("chd_one",)


@pytest.mark.parametrize("named", ["APD", "Ansonia Dept.", "Public Works, Ansonia"])
@pytest.mark.parametrize(
    "kind", [ImplicatedKind.OTHER, ImplicatedKind.STATE_TROOPER, ImplicatedKind.FEDERAL_OFFICER]
)
def test_c16_p3_an_officers_town_is_enough_to_leave_its_police_out(
    kind: ImplicatedKind, named: str
) -> None:
    found = routed(child("Ansonia", implicated=[officer(kind, named)]))
    assert "ansonia_police" not in told(found)
    assert found.unnamed == ("chd_one",)


@pytest.mark.parametrize("kind", [ImplicatedKind.SCHOOL_EMPLOYEE, ImplicatedKind.FACILITY])
def test_c16_a_school_of_the_town_is_not_its_police(kind: ImplicatedKind) -> None:
    found = routed(child("Ansonia", implicated=[officer(kind, "Ansonia High School")]))
    assert police(found) == {"ansonia_police"}
    assert found.unnamed == ()


def test_c16_p3_the_department_hears_of_no_other_child_of_the_referral_either() -> None:
    found = routed(
        child("Ansonia", child_id="chd_a", implicated=[municipal()]),
        child("Ansonia", child_id="chd_b"),
    )
    assert "ansonia_police" not in told(found)
    assert told(found, LOCAL, "chd_b") == {"state_police"}


def test_c16_p3_only_the_child_in_whose_matter_it_is_asked_is_asked_about() -> None:
    found = routed(
        child("Ansonia", child_id="chd_a", implicated=[municipal(None)]),
        child("Derby", child_id="chd_b"),
    )
    assert found.unnamed == ("chd_a",)
    assert told(found, LOCAL, "chd_b") == {"state_police"}


@pytest.mark.parametrize("unit", [None, "Example Unit"])
def test_c18_of_which_unit_an_employee_of_the_department_is_a_person_finds_out(
    unit: str | None,
) -> None:
    found = routed(child("Ansonia", implicated=[officer(ImplicatedKind.DCF_EMPLOYEE, unit)]))
    assert found.unnamed == ("chd_one",)
    assert left_out(found) == set()
    named = officer(ImplicatedKind.DCF_EMPLOYEE, "Hart Lead")
    found = routed(child("Ansonia", implicated=[named]))
    assert (found.unnamed, left_out(found)) == ((), {"hart_lead"})


def test_c25_p3_where_a_home_is_protected_troopers_may_be_its_police() -> None:
    facts = child("Derby", home="Ashford", address_confidential=True, implicated=[municipal(None)])
    found = routed(facts)
    assert told(found).isdisjoint(STATE)
    assert counting_for(found, LOCAL) == {"fbi", "chief_states_attorney"}


def test_c17_p3_a_member_who_is_an_officer_is_a_matter_of_their_department() -> None:
    member = officer(ImplicatedKind.MDT_MEMBER, "mdt_milford_police")
    found = routed(child("Ansonia", implicated=[member]))
    assert left_out(found) == {"ansonia_police", "mdt_milford_police"}
    assert police(found) == {"state_police"}
    assert "agy_ansonia_police" in bound_by("agy_mdt_milford_police", directory())


def merged(*gone: Former) -> Directory:
    """Ansonia's police were closed, and Valley's do their work; an officer of theirs is on the
    team under the old code."""
    valley = agency("valley_police", Kind.MUNICIPAL_POLICE, "Ansonia")
    kept = tuple(each for each in AGENCIES if each.code != "ansonia_police")
    return replace(directory(*kept, valley), former=gone)


OLD = Former("agy_ansonia_police", "ansonia_police", "Ansonia Police", "valley_police")


@pytest.mark.parametrize("named", ["Ansonia Police", "ansonia_police", "agy_ansonia_police"])
def test_c34_p3_who_succeeds_an_implicated_agency_is_left_out(named: str) -> None:
    found = routed(child("Ansonia", implicated=[municipal(named)]), by=merged(OLD))
    assert police(found) == {"state_police"}
    assert left_out(found) == {"valley_police", "mdt_milford_police"}
    assert found.unnamed == ()


def test_c34_p3_a_conflict_asserted_before_a_merger_holds_who_came_of_it() -> None:
    asserted = [Asserted("agy_ansonia_police")]
    twice = Former("agy_older", "older", "Older Police", "ansonia_police")
    for by, conflicts in (
        (merged(OLD), asserted),
        (merged(OLD, twice), [Asserted("agy_older")]),
    ):
        found = routed(child("Ansonia"), conflicts=conflicts, by=by)
        assert left_out(found) == {"valley_police", "mdt_milford_police"}


def test_c34_mergers_in_a_ring_and_successors_of_nobody_mean_nobody() -> None:
    ring = (Former("a", "a", "A", "b"), Former("b", "b", "B", "a"), Former("c", "c", "C", None))
    by = merged(*ring)
    assert all(by.heir(each.agency_id) is None for each in ring)


def test_c16_p3_somebody_of_a_place_that_is_no_agency_leaves_nobody_out_and_is_asked_about() -> (
    None
):
    found = routed(child("Ansonia", implicated=[officer(ImplicatedKind.OTHER, "Example Gym")]))
    assert left_out(found) == set()
    assert found.unnamed == ("chd_one",)
    coach = routed(child("Ansonia", implicated=[officer(ImplicatedKind.SCHOOL_EMPLOYEE, "A Gym")]))
    assert coach.unnamed == ()


def test_c16_p3_an_officer_of_a_campus_or_a_town_that_nobody_names_leaves_the_campus_out_too() -> (
    None
):
    land = place(PlaceKind.IN_STATE, town="Mansfield", district="uconn_storrs")
    for named in (None, "UConn PD"):
        found = routed(child(places=[land], implicated=[municipal(named)]))
        assert "uconn_police" not in told(found)
        assert found.unnamed == ("chd_one",)


def test_c16_p3_a_relative_of_nobody_says_whom_leaves_every_police_out_and_asks() -> None:
    found = routed(child("Ashford", implicated=[officer(ImplicatedKind.RELATIVE_OF_ONE)]))
    assert police(found) == set()
    assert told(found).isdisjoint(STATE)
    assert counting_for(found, LOCAL) == {"fbi", "chief_states_attorney"}
    assert found.unnamed == ("chd_one",)


def test_c16_p3_of_two_agencies_of_one_name_neither_is_told_and_one_asks() -> None:
    twin = replace(
        agency("ansonia_police_two", Kind.MUNICIPAL_POLICE, "Ansonia"), name="ANSONIA police"
    )
    found = routed(child("Ansonia", implicated=[municipal()]), by=changed(twin))
    assert police(found) == {"state_police"}
    assert {"ansonia_police", "ansonia_police_two"} <= left_out(found)
    assert found.unnamed == ("chd_one",)


def test_c16_p3_a_trooper_leaves_out_the_constables_who_work_with_the_troopers_of_their_town() -> (
    None
):
    constables = agency("ashford_constables", Kind.MUNICIPAL_POLICE, "Ashford")
    facts = child("Ashford", implicated=[officer(ImplicatedKind.STATE_TROOPER)])
    found = routed(facts, by=changed(constables))
    assert police(found) == set()
    assert left_out(found) == {"ashford_constables", "troop_c"}
    assert counting_for(found, LOCAL) == {"fbi", "chief_states_attorney"}


def test_c17_p3_a_member_named_by_their_own_agency_leaves_out_its_people_on_the_roll() -> None:
    member = officer(ImplicatedKind.MDT_MEMBER, "Ansonia Police")
    found = routed(child("Ansonia", implicated=[member]))
    assert left_out(found) == {"ansonia_police", "mdt_milford_police"}
    assert found.unnamed == ()
    stranger = officer(ImplicatedKind.MDT_MEMBER, "Derby Police")
    assert told(routed(child("Ansonia", implicated=[stranger])), Role.MDT) == set()


def test_c17_an_mdt_member_is_left_out_alone() -> None:
    member = officer(ImplicatedKind.MDT_MEMBER, "mdt_milford_advocate")
    found = routed(child("Ansonia", implicated=[member]))
    assert left_out(found) == {"mdt_milford_advocate"}
    assert told(found, Role.MDT) == {"mdt_milford_police"}
    assert found.refused == ()


def test_c17_an_mdt_member_whom_nobody_names_leaves_the_roll_out_and_a_person_is_told() -> None:
    found = routed(child("Ansonia", implicated=[officer(ImplicatedKind.MDT_MEMBER)]))
    assert told(found, Role.MDT) == set()
    assert [(leg.role, leg.reason) for leg in found.refused] == [
        (Role.MDT, RefusalReason.NO_AGENCY_FOR_ROLE)
    ]


def test_c17_a_prosecutor_has_no_substitute_and_a_person_is_told() -> None:
    found = routed(child("Ansonia", implicated=[officer(ImplicatedKind.PROSECUTOR)]))
    assert "chief_states_attorney" not in told(found)
    assert (Role.CHIEF_STATES_ATTORNEY, None) in {(r.role, r.agency_id) for r in found.refused}


def test_c17_whoever_stands_in_has_no_conflict_of_their_own() -> None:
    implicated = [municipal(), officer(ImplicatedKind.FEDERAL_OFFICER)]
    found = routed(child("Ansonia", implicated=implicated))
    assert "fbi" not in told(found)
    assert "fbi" not in counting_for(found, LOCAL)
    assert police(found) == {"state_police"}


def test_an_asserted_conflict_does_at_planning_what_an_implicated_fact_does() -> None:
    asserted = routed(child("Ansonia"), conflicts=[Asserted("agy_ansonia_police")])
    implicated = routed(child("Ansonia", implicated=[municipal()]))
    assert asserted.recipients == implicated.recipients
    assert asserted.stand_ins == implicated.stand_ins


def test_a_conflict_in_one_childs_matter_is_none_in_anothers() -> None:
    found = routed(
        child("Ansonia", child_id="chd_a"),
        child("Ansonia", child_id="chd_b"),
        conflicts=[Asserted("agy_ansonia_police", "chd_a")],
    )
    assert told(found, LOCAL, "chd_a") == {"state_police"}
    assert told(found, LOCAL, "chd_b") == {"ansonia_police"}


def test_a_conflict_binds_the_organisation_and_its_people() -> None:
    assert bound_by("agy_ansonia_police", directory()) == [
        "agy_ansonia_police",
        "agy_mdt_milford_police",
    ]
    house = {f"agy_{code}" for code in STATE | {"colchester_police"}}
    assert set(bound_by("agy_troop_c", directory())) == house
    assert bound_by("agy_mdt_new_london", directory()) == ["agy_mdt_new_london"]


def test_no_substitute_learns_from_its_own_words_that_somebody_is_implicated() -> None:
    found = routed(child("Ansonia", implicated=[municipal()]))
    for each in found.recipients:
        assert "implicated" not in each.because
        assert "conflict" not in each.because
        assert "instead" not in each.rule
        if each.agency_id != "agy_mdt_milford_advocate":
            assert "Ansonia" not in each.because


def test_staff_read_who_was_left_out_and_who_counts_in_its_place() -> None:
    said = sentences(routed(child("Ansonia", implicated=[municipal()])))
    assert "Not told: Ansonia Police: incident town, and implicated in a conflict" in said
    assert "Fbi: its own notice counts for local law enforcement too" in said


@pytest.mark.parametrize("state", [DeliveryState.DELIVERED, DeliveryState.PENDING])
def test_p8_a_conflicted_holder_gets_no_correction_and_no_supersession(
    state: DeliveryState,
) -> None:
    held = Earlier(
        "ntc_1",
        "ref_1",
        "chd_one",
        "agy_ansonia_police",
        LOCAL,
        1,
        NoticeKind.ORIGINAL,
        state,
        may_hold=state is DeliveryState.DELIVERED,
    )
    for facts in (child("Ansonia", implicated=[municipal()]),):
        plan = plan_version(routed(facts), [held], directory(), NOW.date())
        assert "agy_ansonia_police" not in {each.agency_id for each in plan.notices}
        assert not plan.withheld
        assert plan.ended == ((held,) if state is DeliveryState.PENDING else ())


def test_p8_a_conflicted_holder_that_left_the_route_gets_no_supersession_either() -> None:
    held = Earlier(
        "ntc_1",
        "ref_1",
        "chd_one",
        "agy_ansonia_police",
        LOCAL,
        1,
        NoticeKind.ORIGINAL,
        DeliveryState.DELIVERED,
        may_hold=True,
    )
    found = routed(child("Derby", implicated=[municipal()]))
    plan = plan_version(found, [held], directory(), NOW.date())
    assert "agy_ansonia_police" not in {each.agency_id for each in plan.notices}
