"""What a profile may see (P4), as a pure function."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.documents import Document
from services.intake.projections import facts, load_profiles, paths, project
from services.notify.routing.rulebook import load_rulebook
from shared.runtime.errors import Misconfigured

MASKING = {"address_confidential", "suspected_persons.same_as"}
"""What sets the masks off, which test_intake_masks.py is about."""
ALL = sorted(set(paths(Document)) - MASKING)
PROFILES = load_profiles()


def document() -> dict[str, Any]:
    """A document with a value of its own in every field."""
    whole: dict[str, Any] = {}
    for path in ALL:
        head, _, leaf = path.rpartition(".")
        value = [f"value of {path}"] if leaf == "person_roles" else f"value of {path}"
        if head == "reporter":
            whole.setdefault(head, {})[leaf] = value
        elif head:
            whole.setdefault(head, [{}])[0][leaf] = value
        else:
            whole[leaf] = value
    return whole


def values(content: object) -> set[str]:
    if isinstance(content, dict):
        return set().union(*map(values, content.values())) if content else set()
    if isinstance(content, list):
        return set().union(*map(values, content)) if content else set()
    return {str(content)}


@given(listed=st.sets(st.sampled_from([*ALL, "unknown", "parents", "reporter"])))
def test_p4_a_copy_holds_what_is_listed_and_nothing_else(listed: set[str]) -> None:
    copy = project(document(), listed)
    assert copy.fields == listed & set(ALL)
    assert values(copy.content) == {f"value of {path}" for path in copy.fields}


def test_p4_a_field_that_nobody_listed_is_in_no_copy() -> None:
    grown = document() | {
        "new_field": "new",
        "new_part": {"leaf": "new"},
        "new_list": [{"x": "new"}],
    }
    grown["parents"][0]["new_leaf"] = "new"
    for listed in PROFILES.values():
        assert "new" not in values(project(grown, listed).content)


def test_p4_naming_a_group_lists_none_of_its_fields() -> None:
    assert project(document(), {"reporter", "parents"}).content == {}


@pytest.mark.parametrize("profile", PROFILES)
def test_p4_no_shipped_profile_lists_the_reporter(profile: str) -> None:
    assert not [path for path in PROFILES[profile] if path.startswith("reporter")]


def test_only_law_enforcement_is_told_what_endangers_officers() -> None:
    told = [name for name, listed in PROFILES.items() if "officer_safety_notes" in listed]
    assert told == ["law_enforcement"]


def test_the_profiles_are_those_that_the_routing_rules_send() -> None:
    assert set(PROFILES) == {rule.profile for rule in load_rulebook().rules if rule.profile}


def test_what_says_nothing_is_left_out() -> None:
    said = {"name": "", "parents": [{"name": None}, {}], "incident_towns": [], "age_years": 0}
    copy = project(said, ALL)
    assert copy.content == {"age_years": 0}
    assert copy.fields == {"age_years"}


def test_facts_are_there_even_when_nothing_is_known() -> None:
    assert facts({"ht_type": "sex", "name": "Test Child One"}).content == {
        "ht_type": "sex",
        "residence_town": None,
        "residence_state": None,
        "incident_towns": [],
        "incident_places": [],
        "address_confidential": False,
        "missing_from_care": None,
        "missing_since": None,
        "travel_authorized": None,
        "care_status": None,
        "foreign_national": None,
        "indian_child": None,
        "implicated": [],
    }


def test_p5_the_record_of_the_facts_is_the_same_whether_somebody_is_implicated_or_not() -> None:
    nothing = {"ht_type": "sex"}
    implicated = nothing | {"implicated": [{"kind": "municipal_officer", "agency": "Example PD"}]}
    assert facts(implicated).fields == facts(nothing).fields


def test_a_profile_that_lists_what_no_form_has_is_refused_at_start(tmp_path: Path) -> None:
    wrong = tmp_path / "profiles.yaml"
    wrong.write_text("profiles:\n  fbi: [name, nmae]\n")
    with pytest.raises(Misconfigured, match="fbi lists nmae"):
        load_profiles(wrong)
