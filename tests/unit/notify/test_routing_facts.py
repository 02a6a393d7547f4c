"""Facts as intake sends them: lenient where it may say more, and never a guess (C3, C7)."""

import pytest
from pydantic import ValidationError

from services.notify.routing.api import answer
from services.notify.routing.facts import ImplicatedKind, PlaceKind
from services.notify.routing.facts_read import Facts
from services.notify.routing.schemas import WhatIfIn
from tests.support.routing import RULES, directory


def test_facts_of_an_older_intake_are_enough() -> None:
    facts = Facts.model_validate({"ht_type": "sex", "residence_town": None, "incident_towns": []})
    assert facts.of("chd_one").towns == frozenset()


def test_facts_of_a_newer_intake_are_read_and_its_further_fields_ignored() -> None:
    child = Facts.model_validate(
        {
            "ht_type": "sex",
            "incident_places": [
                {"kind": "in_state", "town": "Groton", "district": "groton_city", "new": 1}
            ],
            "implicated": [{"kind": "municipal_officer", "agency": "Example Police"}],
            "missing_from_care": True,
            "indian_child": None,
        }
    ).of("chd_one")
    (place,), (implicated,) = child.places, child.implicated
    assert (place.lies_in, place.part) == ("Groton", "groton_city")
    assert implicated.kind is ImplicatedKind.MUNICIPAL_OFFICER
    assert child.missing_from_care is True


def test_a_kind_that_is_not_known_asks_a_person_and_passes_for_no_other() -> None:
    child = Facts.model_validate(
        {
            "ht_type": "sex",
            "incident_places": [{"kind": "underwater"}],
            "implicated": [{"kind": "admiral"}],
        }
    ).of("chd_one")
    assert {place.kind for place in child.places} == {PlaceKind.UNKNOWN}
    assert {each.kind for each in child.implicated} == {ImplicatedKind.OTHER}


def test_c7_tribal_land_of_another_state_is_another_state() -> None:
    place = {"kind": "tribal_land", "nation": "other", "state": "RI"}
    child = Facts.model_validate({"ht_type": "sex", "incident_places": [place]}).of("chd_one")
    assert {each.kind for each in child.places} == {PlaceKind.OUT_OF_STATE}


def test_c3_a_town_of_another_state_is_none_of_connecticuts_whatever_it_is_called() -> None:
    home = {"residence_town": "Derby", "residence_state": "MA"}
    derby = {"kind": "out_of_state", "town": "Derby", "state": "VT"}
    child = Facts.model_validate({"ht_type": "sex", "incident_places": [derby], **home}).of("chd_1")
    assert (child.towns, child.home) == (frozenset(), None)
    assert child.lives_elsewhere
    assert child.is_away


def test_a_place_in_state_that_names_another_state_asks_a_person() -> None:
    place = {"kind": "in_state", "town": "Derby", "state": "MA"}
    child = Facts.model_validate({"ht_type": "sex", "incident_places": [place]}).of("chd_one")
    assert {(each.kind, each.lies_in) for each in child.places} == {(PlaceKind.UNKNOWN, None)}


@pytest.mark.parametrize("town", ["Derby", "Springfield"])
def test_c2_what_if_tells_no_police_of_connecticut_for_a_home_in_another_state(town: str) -> None:
    place = {"kind": "in_state", "town": "Ansonia"}
    child = {
        "ht_type": "sex",
        "residence_town": town,
        "residence_state": "MA",
        "incident_places": [place, {"kind": "out_of_state", "town": town, "state": "MA"}],
    }
    found = answer(WhatIfIn.model_validate({"children": [child]}), directory(), RULES)
    police = [each for each in found.received if each.role == "local_law_enforcement"]
    assert [each.recipient for each in police] == ["Ansonia Police"]
    assert found.questions == []


def test_a_state_is_two_letters_in_what_if_so_that_none_is_taken_for_another() -> None:
    child = {"ht_type": "sex", "residence_town": "Derby", "residence_state": "Connecticut"}
    with pytest.raises(ValidationError, match="residence_state"):
        WhatIfIn.model_validate({"children": [child]})


def test_facts_are_sealed_and_read_again_without_loss() -> None:
    facts = Facts.model_validate(
        {
            "ht_type": "labor",
            "incident_towns": ["Ansonia"],
            "incident_places": [{"kind": "in_state", "occurred_at": "2026-03-03T04:00:00Z"}],
            "implicated": [{"kind": "other"}],
            "foreign_national": False,
        }
    )
    kept = facts.model_dump(mode="json", exclude_defaults=True)
    assert Facts.model_validate(kept) == facts
