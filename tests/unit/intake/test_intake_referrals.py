"""The rules of a referral, without a database."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake import referrals
from services.intake.referrals import Amended, Stale, Unchanged, Unfit
from services.intake.schemas import AmendedReferral, NewReferral
from services.intake.strict_json import Rejected
from services.intake.towns import load_towns

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TOWNS = load_towns()
KNOWN = f"chd_{'1' * 32}"


def child(**fields: Any) -> dict[str, Any]:
    return {"ht_type": "sex", "reasons_for_suspicion": "An example reason."} | fields


def referral(**fields: Any) -> dict[str, Any]:
    return {
        "trigger": "careline",
        "received_at": "2026-03-02T06:00:00-05:00",
        "source_type": "other",
        "reporter": {"anonymous": True},
        "children": [child()],
    } | fields


def flaws(body: dict[str, Any]) -> list[tuple[str | int, ...]]:
    try:
        referrals.check(referrals.read(NewReferral, body), NOW, TOWNS)
    except Rejected as rejected:
        return [flaw.path for flaw in rejected.flaws]
    except Unfit as unfit:
        return [tuple(error["loc"]) for error in unfit.error.errors()]
    return []


def amend(document: dict[str, Any], patch: object, **given: Any) -> referrals.Amendment:
    return referrals.amend(document, 3, patch, given.get("expected", {3}), now=NOW, towns=TOWNS)


def stored(**fields: Any) -> dict[str, Any]:
    return referral(children=[child(child_id=KNOWN)]) | fields


def numbered() -> Callable[[], str]:
    numbers = count()
    return lambda: f"chd_{next(numbers):032x}"


def test_there_are_169_towns() -> None:
    assert len(TOWNS) == 169


def test_the_least_that_a_caller_may_know_is_enough() -> None:
    """Anonymous reporter, unknown age and town: ordinary input (DOMAIN C1, C20, C21)."""
    assert flaws(referral()) == []


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (referral(trigger="phone"), ("trigger",)),
        (referral(source_type="nobody"), ("source_type",)),
        (referral(synthetic="true"), ("synthetic",)),
        (referral(children=[]), ("children",)),
        (referral(children=[child()] * 21), ("children",)),
        (referral(children=[child(reasons_for_suspicion=" \n")]),
         ("children", 0, "reasons_for_suspicion")),
        (referral(children=[child(age_years=-1)]), ("children", 0, "age_years")),
        (referral(children=[child(age_years=15.0)]), ("children", 0, "age_years")),
        (referral(children=[child(age_years="15")]), ("children", 0, "age_years")),
        (referral(children=[child(age_years=True)]), ("children", 0, "age_years")),
        (referral(children=[child(), child(residence_town="Boston")]),
         ("children", 1, "residence_town")),
        (referral(children=[child(residence_town="ansonia")]), ("children", 0, "residence_town")),
        (referral(children=[child(incident_towns=["Ansonia", ""])]),
         ("children", 0, "incident_towns", 1)),
        (referral(children=[child(date_of_birth="2026-03-03")]), ("children", 0, "date_of_birth")),
        (referral(children=[child(date_of_birth="1899-12-31")]), ("children", 0, "date_of_birth")),
        (referral(children=[child(date_of_birth="20120403")]), ("children", 0, "date_of_birth")),
        (referral(children=[child(name="x" * 201)]), ("children", 0, "name")),
        (referral(children=[child(child_id=KNOWN)]), ("children", 0, "child_id")),
        (referral(reporter={}), ("reporter", "anonymous")),
        (referral(reporter={"anonymous": True, "name": "Example Person"}), ("reporter", "name")),
        (referral(reporter={"anonymous": True, "phone": "555-0100"}), ("reporter", "phone")),
        (referral(reporter=None), ("reporter",)),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_its_place(
    body: dict[str, Any], path: tuple[str | int, ...]
) -> None:
    assert flaws(body) == [path]


@pytest.mark.parametrize(
    "moment",
    [
        "2026-03-02T12:05:01Z", "2026-03-02T12:00:00", "2026-03-02 12:00:00Z", "2026-03-02",
        "2026-02-30T12:00:00Z", "1772452800", 1772452800, "2026-03-02T12:00:00.1234567Z",
        "0001-01-01T00:00:00+14:00", "1999-12-31T23:59:59Z", "2026-03-02T23:59:60Z",
        "2026-03-02T24:00:00Z", "", None, "2026-03-02T12:00:00+25:00",
    ],
)  # fmt: skip
def test_a_moment_that_is_not_one_or_not_past_is_refused(moment: object) -> None:
    assert flaws(referral(received_at=moment)) == [("received_at",)]


@pytest.mark.parametrize(
    ("moment", "instant"),
    [
        ("2026-03-02T12:05:00Z", NOW + timedelta(minutes=5)),
        ("2026-03-02T07:00:00-05:00", NOW),
        ("2026-03-02t12:00:00.000001z", NOW + timedelta(microseconds=1)),
        ("2020-02-29T23:00:00+14:00", datetime(2020, 2, 29, 9, 0, tzinfo=UTC)),
    ],
)
def test_a_moment_is_kept_as_an_instant(moment: str, instant: datetime) -> None:
    assert flaws(referral(received_at=moment)) == []
    assert referrals.read(NewReferral, referral(received_at=moment)).received_at == instant


# The examples of RFC 7396, appendix A.
@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_merge_patch_does_what_rfc_7396_says(
    target: object, patch: object, result: object
) -> None:
    assert referrals.merge_patch(target, patch) == result


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=8,
)


@given(target=JSON, patch=JSON)
def test_a_merge_patch_is_idempotent_and_leaves_its_target_alone(
    target: object, patch: object
) -> None:
    before = repr(target)
    once = referrals.merge_patch(target, patch)
    assert referrals.merge_patch(once, patch) == once
    assert repr(target) == before


def test_an_amendment_is_the_next_version() -> None:
    outcome = amend(stored(), {"source_type": "ems"})
    assert isinstance(outcome, Amended)
    assert (outcome.version, outcome.referral.source_type.value) == (4, "ems")
    assert outcome.referral.children[0].child_id == KNOWN


def test_saying_the_same_in_other_words_changes_nothing() -> None:
    same = {
        "received_at": "2026-03-02T11:00:00Z",
        "reporter": {"anonymous": True, "confidential": True, "name": None},
        "children": [child(child_id=KNOWN, name=None, incident_towns=[])],
    }
    assert amend(stored(), same) == Unchanged()
    assert amend(stored(), {}) == Unchanged()


@pytest.mark.parametrize("expected", [set(), {2}, {4}, {1, 2}])
def test_another_version_than_expected_is_stale_whatever_the_patch(expected: set[int]) -> None:
    assert amend(stored(), {"source_type": 1}, expected=expected) == Stale()


@pytest.mark.parametrize(
    ("children", "path"),
    [
        ([child()], ("children",)),
        ([child(child_id=KNOWN), child(child_id=KNOWN)], ("children", 1, "child_id")),
        ([child(child_id=KNOWN), child(child_id=f"chd_{'2' * 32}")], ("children", 1, "child_id")),
    ],
)
def test_no_child_is_lost_doubled_or_taken_from_elsewhere(
    children: list[dict[str, Any]], path: tuple[str | int, ...]
) -> None:
    with pytest.raises(Rejected) as rejected:
        amend(stored(), {"children": children})
    assert [flaw.path for flaw in rejected.value.flaws] == [path]


def test_a_test_stays_a_test() -> None:
    with pytest.raises(Rejected):
        amend(stored(synthetic=True), {"synthetic": False})
    with pytest.raises(Rejected):
        amend(stored(synthetic=True), {"synthetic": None})


def test_every_child_gets_one_id_and_keeps_it() -> None:
    new = referrals.read(NewReferral, referral(children=[child(), child(name="Test Child Two")]))
    named = referrals.identified(new, numbered())
    ids = [child_id for child_id, _ in named]
    assert ids == [f"chd_{0:032x}", f"chd_{1:032x}"]
    assert [each for _, each in named] == new.children
    children = [{**child(), "child_id": child_id} for child_id in reversed(ids)]
    known = referrals.read(AmendedReferral, referral(children=[*children, child()]))
    named = referrals.identified(known, lambda: "chd_new")
    assert [child_id for child_id, _ in named] == [*reversed(ids), "chd_new"]
