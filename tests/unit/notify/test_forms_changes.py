"""What a correction says of the version that it replaces."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.notify.forms.changes import changes

BEFORE: dict[str, Any] = {
    "name": "Test Child One",
    "residence_town": "Ansonia",
    "parents": [{"name": "Test Parent One", "phone": "203-555-0100"}],
}

_values = st.one_of(st.text(min_size=1, max_size=5), st.integers(), st.booleans())
_copies = st.dictionaries(
    st.sampled_from(["name", "sex", "parents", "venues"]),
    st.one_of(
        _values,
        st.lists(st.dictionaries(st.sampled_from(["name", "phone"]), _values), max_size=3),
        st.lists(_values, max_size=3),
    ),
)


def test_it_names_what_is_new_what_differs_and_what_is_gone() -> None:
    after = {
        "name": "Test Child One",
        "residence_town": "Derby",
        "parents": [{"name": "Test Parent One"}],
        "venues": ["hotel_motel_based"],
    }
    assert changes(BEFORE, after) == [
        {"field": "parents.phone", "change": "removed"},
        {"field": "residence_town", "change": "changed"},
        {"field": "venues", "change": "added"},
    ]


def test_a_person_more_is_a_change_of_what_is_said_of_persons() -> None:
    after = {**BEFORE, "parents": [*BEFORE["parents"], {"name": "Test Parent Two"}]}
    assert changes(BEFORE, after) == [{"field": "parents.name", "change": "changed"}]


def test_p4_it_does_not_even_name_what_no_form_may_hold() -> None:
    after = {**BEFORE, "reporter": {"name": "x"}, "siblings": [{"name": "y"}], "person_ref": "p1"}
    assert changes(BEFORE, after) == []


@given(_copies)
def test_nothing_changed_between_a_copy_and_itself(copy: dict[str, Any]) -> None:
    assert changes(copy, json.loads(json.dumps(copy))) == []


@given(_copies, _copies)
def test_it_turns_around(before: dict[str, Any], after: dict[str, Any]) -> None:
    turned = {"added": "removed", "removed": "added", "changed": "changed"}
    assert [
        {"field": each["field"], "change": turned[each["change"]]}
        for each in changes(before, after)
    ] == changes(after, before)


@given(st.text(min_size=6, max_size=12), st.text(min_size=6, max_size=12))
def test_no_value_is_in_it_neither_the_old_nor_the_new(old: str, new: str) -> None:
    found = changes({"current_location": old}, {"current_location": new})
    assert found == [{"field": "current_location", "change": "changed"}] * (old != new)
