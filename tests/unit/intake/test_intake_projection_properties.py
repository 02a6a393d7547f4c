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
towns = st.lists(st.sampled_from(("Ansonia", "Derby")), max_size=2)
# A protected address masks what other fields hold: tests of its own (test_intake_masks.py).
OF_THEIR_OWN_TYPE = {
    "address_confidential": st.none(),
    "residence_town": st.sampled_from(("Ansonia", None)),
    "incident_towns": towns,
    "person_roles": st.lists(st.sampled_from(("caregiver", "trafficker")), max_size=2),
    "age_years": st.sampled_from((7, 40)),
    "same_as": st.none(),
}


@st.composite
def facts_of(draw: st.DrawFn) -> dict[str, Any]:
    named = st.sampled_from([*plain, "reporter_note", "a_field_of_tomorrow"])
    names = draw(st.lists(named, max_size=8, unique=True))
    return {name: draw(OF_THEIR_OWN_TYPE.get(name, values)) for name in names}


@st.composite
def people(draw: st.DrawFn) -> dict[str, Any]:
    named = st.sampled_from(sorted({*(each[2] for each in groups), "phone_of_tomorrow"}))
    names = draw(st.lists(named, max_size=4, unique=True))
    return {name: draw(OF_THEIR_OWN_TYPE.get(name, values)) for name in names}


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    document: dict[str, Any] = draw(facts_of())
    # Suspected minor victims are made of suspected persons by the mask.
    for name in sorted(({each[0] for each in groups} | {"reporter"}) - {"suspected_minor_victims"}):
        document[name] = draw(st.lists(people(), max_size=2))
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
