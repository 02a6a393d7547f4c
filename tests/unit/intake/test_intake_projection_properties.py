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
facts = st.dictionaries(
    st.sampled_from([*plain, "reporter_note", "a_field_of_tomorrow"]), values, max_size=8
)
people = st.dictionaries(
    st.sampled_from([*{each[2] for each in groups}, "phone_of_tomorrow"]), values, max_size=4
)


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
