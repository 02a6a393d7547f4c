"""What was in force when: whatever the order of recording, as of any day and any version."""

from datetime import date, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.notify.directory.entries import AgencyEntry
from services.notify.directory.history import Term, changed_fields, in_force

FIRST = date(2015, 1, 1)
BASE = AgencyEntry(agency_id=f"agy_{1:032x}", kind="fbi", name="Example", profile="x")
DAYS = st.integers(0, 4000).map(lambda days: FIRST + timedelta(days=days))
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["One", "Two", "Three"]),
        "contact": st.none() | st.sampled_from(["Desk A", "Desk B"]),
        "authority": st.none() | st.just("CGS 17a-28"),
        "authority_from": st.none() | st.just("2016-01-01"),
    },
)


@st.composite
def histories(draw: st.DrawFn) -> list[Term]:
    """Terms of one agency, which it has since the first day; each version adds one."""
    later = draw(st.lists(st.tuples(DAYS, FIELDS), max_size=8))
    first = Term(BASE.agency_id, 1, FIRST, BASE.stored())
    return [first, *(Term(BASE.agency_id, 2 + n, d, f) for n, (d, f) in enumerate(later))]


def on(terms: list[Term], day: date, version: int | None = None) -> AgencyEntry | None:
    return in_force(terms, day, version).get(BASE.agency_id)


def by_hand(terms: list[Term], day: date) -> dict[str, Any]:
    """Each field by itself: of the latest day not after `day`, what was recorded last."""
    found = {}
    for name in BASE.stored():
        saying = [t for t in terms if t.valid_from <= day and name in t.fields]
        found[name] = max(saying, key=lambda t: (t.valid_from, t.version)).fields[name]
    return found


@given(histories(), DAYS, st.randoms())
def test_as_of_a_day_each_field_is_what_the_latest_day_before_it_says(
    terms: list[Term], day: date, random: Any
) -> None:
    expected = by_hand(terms, day)
    random.shuffle(terms)
    found = on(terms, day)
    assert found is not None
    assert found.stored() == expected


@given(histories(), DAYS)
def test_between_two_days_on_which_something_changes_everything_stays(
    terms: list[Term], day: date
) -> None:
    if all(term.valid_from != day + timedelta(days=1) for term in terms):
        assert on(terms, day) == on(terms, day + timedelta(days=1))


@given(histories(), DAYS, st.integers(1, 9))
def test_a_version_knows_nothing_of_what_was_recorded_after_it(
    terms: list[Term], day: date, version: int
) -> None:
    assert on(terms, day, version) == on([t for t in terms if t.version <= version], day)


@given(histories(), DAYS, FIELDS)
def test_what_is_recorded_for_a_day_is_so_on_that_day(
    terms: list[Term], day: date, fields: dict[str, Any]
) -> None:
    before = on(terms, day)
    assert before is not None
    after = AgencyEntry.model_validate(before.stored() | fields)
    new = Term(BASE.agency_id, len(terms) + 1, day, changed_fields(before, after))
    assert on([*terms, new], day) == after
    yesterday = day - timedelta(days=1)
    assert on([*terms, new], yesterday) == on(terms, yesterday)


def test_before_its_first_day_there_is_no_agency() -> None:
    assert on([Term(BASE.agency_id, 1, FIRST, BASE.stored())], FIRST - timedelta(days=1)) is None


def test_a_change_of_today_survives_a_plan_of_last_month_that_comes_into_effect() -> None:
    january = Term(BASE.agency_id, 2, date(2027, 1, 1), {"name": "Merged"})
    today = Term(BASE.agency_id, 3, date(2026, 12, 1), {"contact": "New desk"})
    first = Term(BASE.agency_id, 1, FIRST, BASE.stored())
    found = on([first, january, today], date(2027, 1, 1))
    assert found is not None
    assert (found.name, found.contact) == ("Merged", "New desk")
