"""Facts as intake sends them: lenient where it may say more, and never a guess (C3, C7)."""

from services.notify.facts import ImplicatedKind, PlaceKind
from services.notify.facts_read import Facts


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
