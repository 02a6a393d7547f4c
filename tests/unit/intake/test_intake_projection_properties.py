"""Adding facts never adds a field to a profile that does not list it (P4)."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.projections import load_profiles, project

PROFILES = load_profiles()
LISTED = sorted({path for fields in PROFILES.values() for path in fields})
values = st.sampled_from(("synthetic", 7, True, None, ["synthetic"]))
plain = [path for path in LISTED if "." not in path]
groups = [path.partition(".") for path in LISTED if "." in path]
several = st.lists(st.just("synthetic"), max_size=2)
SEVERAL = {"person_roles", "race_ethnicity", "venues", "incident_towns"}


def some(names: list[str], most: int) -> st.SearchStrategy[dict[str, Any]]:
    """Some of these fields, several values where a field has several."""
    pair = st.sampled_from(names).flatmap(
        lambda name: st.tuples(st.just(name), several if name in SEVERAL else values)
    )
    return st.lists(pair, max_size=most).map(dict)


MASKING = "address_confidential"
"""Takes away from other fields, which is proved in test_intake_masks.py."""
facts = some(sorted({*plain, "reporter_note", "a_field_of_tomorrow"} - {MASKING}), 8)
people = some(sorted({each[2] for each in groups} | {"phone_of_tomorrow"}), 4)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    document: dict[str, Any] = draw(facts)
    for name in {each[0] for each in groups} | {"reporter"}:
        document[name] = draw(st.lists(people, max_size=2))
    return document


@settings(max_examples=100, deadline=None)
@given(documents(), documents(), st.sampled_from(sorted(PROFILES)))
def test_p4_more_facts_never_add_a_field_that_the_profile_does_not_list(
    before: dict[str, Any], more: dict[str, Any], profile: str
) -> None:
    listed = PROFILES[profile]
    assert project(before | more, listed).fields <= listed
    unlisted = {name: value for name, value in more.items() if not _listed(name, listed)}
    kept = {name: value for name, value in before.items() if name not in unlisted}
    assert project(kept | unlisted, listed).content == project(kept, listed).content


def _listed(name: str, listed: frozenset[str]) -> bool:
    return any(path == name or path.startswith(f"{name}.") for path in listed)
