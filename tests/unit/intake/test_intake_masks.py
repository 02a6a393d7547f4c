"""What no copy shows, whatever its profile lists (P4), as a pure function."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.masks import WITHHELD, Shown, mask
from services.intake.projections import facts, load_profiles, paths, project

EVERYTHING = frozenset(paths(Shown))
TOWN, STREET = "North Stonington", "12 Example Lane"


def document(**fields: Any) -> dict[str, Any]:
    return {"ht_type": "sex", "reasons_for_suspicion": "An example reason."} | fields


def protected(**fields: Any) -> dict[str, Any]:
    return (
        document(
            address_confidential=True,
            residence_town=TOWN,
            residence_address=f"{STREET}, {TOWN}, CT",
            substitute_address="P.O. Box 1, Hartford",
            incident_towns=[TOWN, "Derby"],
        )
        | fields
    )


def seen(content: object) -> str:
    return json.dumps(content).casefold()


def test_c25_the_substitute_address_stands_in_place_of_the_real_one_in_every_profile() -> None:
    for listed in load_profiles().values():
        copy = project(protected(), listed).content
        assert "residence_town" not in copy
        if "residence_address" in listed:
            assert copy["address_confidential"] is True
        assert copy.get("incident_towns", ["Derby"]) == ["Derby"]
        assert copy.get("residence_address", "P.O. Box 1, Hartford") == "P.O. Box 1, Hartford"
    assert "residence_address" in project(protected(), load_profiles()["law_enforcement"]).content


@settings(deadline=None)
@given(
    field=st.sampled_from(
        ["reasons_for_suspicion", "current_location", "nature_and_extent", "other_concerns"]
    ),
    form=st.sampled_from(
        [TOWN, TOWN.upper(), "north  stonington", "North\nStonington", STREET, "12 example-lane"]
    ),
    before=st.sampled_from(["", "In ", "(", "at home, ", "Ledyard/"]),
    after=st.sampled_from(["", ".", " somewhere", "'s centre", ")"]),
)
def test_c25_the_real_town_and_address_are_in_no_text_however_written(
    field: str, form: str, before: str, after: str
) -> None:
    copy = project(protected(**{field: f"{before}{form}{after}"}), EVERYTHING)
    assert copy.content[field] == f"{before}{WITHHELD}{after}"


def test_c25_a_place_that_gives_the_town_away_is_withheld() -> None:
    places: list[dict[str, Any]] = [
        {"kind": "tribal_land", "nation": "eastern_pequot"},
        {"kind": "in_state", "town": TOWN},
        {"kind": "internet"},
    ]
    shown = mask(protected(incident_places=places))
    assert shown["incident_places"] == [{"kind": "internet"}]
    groton = mask(
        protected(
            residence_town="Groton",
            incident_places=[{"kind": "in_state", "town": "Groton", "district": "groton_city"}],
        )
    )
    assert groton["incident_places"] == []


def test_c25_neither_facts_nor_any_field_give_the_town_away() -> None:
    parents = [{"name": "Example Parent", "address": STREET}]
    whole = protected(parents=parents, facility=f"Home of {TOWN}", current_location=f"at {STREET}")
    assert facts(whole).content["residence_town"] is None
    assert facts(whole).content["incident_towns"] == ["Derby"]
    for told in (facts(whole).content, project(whole, EVERYTHING).content):
        assert "stonington" not in seen(told)
        assert "example lane" not in seen(told)


def test_c25_a_town_that_stands_in_the_address_alone_is_found_there() -> None:
    whole = protected(
        residence_town=None,
        residence_address="12 Example Lane Apt 3 West Haven CT 06516",
        incident_towns=["West Haven", "New Haven"],
        other_concerns="West haven, 06516; not New Haven.",
    )
    copy = project(whole, EVERYTHING).content
    assert copy["incident_towns"] == ["New Haven"]
    assert copy["other_concerns"] == f"{WITHHELD}, {WITHHELD}; not New Haven."


def test_a_town_that_is_part_of_a_longer_word_stays() -> None:
    text = "Unionville, a reunion"
    shown = mask(protected(residence_town="Union", residence_address=None, other_concerns=text))
    assert shown["other_concerns"] == text


def test_without_the_program_nothing_is_withheld() -> None:
    plain = protected(address_confidential=False)
    assert project(plain, {"residence_address"}).content["residence_address"].startswith(STREET)


def test_c21_c22_nobody_in_a_copy_is_said_to_be_the_reporter() -> None:
    whole = document(
        person_roles=["victim", "reporter"],
        parents=[{"name": "Example Parent", "person_roles": ["caregiver", "reporter"]}],
        suspected_persons=[{"name": "Example Suspect", "person_roles": ["trafficker", "reporter"]}],
        reporter={"anonymous": False, "name": "Example Suspect", "person_roles": ["trafficker"]},
    )
    for listed in load_profiles().values():
        assert "reporter" not in seen(project(whole, listed).content)
    copy = project(whole, load_profiles()["law_enforcement"]).content
    assert copy["suspected_persons"] == [
        {"name": "Example Suspect", "person_roles": ["trafficker"]}
    ]


def test_c23_a_perpetrator_who_is_a_minor_victim_has_a_mask_of_their_own() -> None:
    person = {"name": "Test Youth Nine", "age_years": 16, "person_roles": ["minor_victim"]}
    adult = {"name": "Example Suspect"}
    whole = document(suspected_persons=[person, adult])
    for name, listed in load_profiles().items():
        copy = project(whole, listed).content
        if "suspected_persons.name" in listed:
            assert copy["suspected_persons"] == [adult]
        assert ("Test Youth Nine" in json.dumps(copy)) == (name == "law_enforcement")
    assert project(whole, {"suspected_persons.name"}).content == {"suspected_persons": [adult]}


@pytest.mark.parametrize("profile", load_profiles())
def test_c23_c24_a_perpetrator_who_is_another_child_of_the_referral_is_not_named(
    profile: str,
) -> None:
    person = {
        "name": "Test Child Two",
        "description": "Tall, in a red coat.",
        "relationship": "friend",
        "same_as": "p2",
    }
    listed = load_profiles()[profile]
    copy = project(document(suspected_persons=[person]), listed).content
    assert "suspected_persons" not in copy
    assert "Test Child Two" not in json.dumps(copy)
    if "suspected_minor_victims.relationship" in listed:
        assert copy["suspected_minor_victims"] == [{"relationship": "friend"}]


def test_c27_no_copy_for_law_enforcement_or_prosecution_says_who_is_a_foreign_national() -> None:
    telling = {name for name, listed in load_profiles().items() if "foreign_national" in listed}
    assert telling == {"hart"}


def test_p4_nobody_implicated_and_no_sibling_is_in_any_copy() -> None:
    hidden = ("implicated.", "siblings.", "how_known")
    for listed in load_profiles().values():
        assert not [path for path in listed if path.startswith(hidden)]


@pytest.mark.parametrize("named", ["ansonia_police", "MDT Ansonia", "Ansonia Police"])
def test_c16_c25_p3_whose_people_are_implicated_is_known_to_routing_whatever_else_is_withheld(
    named: str,
) -> None:
    document = {
        "ht_type": "sex",
        "residence_town": "Ansonia",
        "implicated": [{"kind": "other", "agency": named, "name": "Test Officer"}],
    }
    protected = document | {"address_confidential": True}
    assert facts(protected).content["implicated"] == facts(document).content["implicated"]
    assert facts(protected).content["implicated"] == [{"kind": "other", "agency": named}]
    assert "Ansonia" not in str(project(protected, EVERYTHING).content)


def test_c25_p4_a_sibling_in_the_same_home_is_routed_as_the_participant_is() -> None:
    protected = {"ht_type": "sex", "residence_town": "Ansonia", "address_confidential": True}
    sibling = {"ht_type": "sex", "residence_town": "Ansonia"}
    elsewhere = {"ht_type": "sex", "residence_town": "Derby"}
    known = facts(sibling, [protected, sibling]).content
    assert (known["residence_town"], known["address_confidential"]) == (None, True)
    known = facts(elsewhere, [protected, elsewhere]).content
    assert (known["residence_town"], known["address_confidential"]) == ("Derby", False)
    assert facts(sibling, [sibling]).content["residence_town"] == "Ansonia"
