"""What may be kept while a caller is on the line, and what is refused at once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake import referrals
from services.intake.calls import drafts
from services.intake.calls.drafts import Call, Standing
from services.intake.projections import paths
from services.intake.referrals import Unfit
from services.intake.schemas import NewReferral
from services.intake.strict_json import Rejected
from tests.support.calls import typed

NOW = datetime(2026, 3, 2, 14, 5, tzinfo=UTC)
OWN = ("received_at", "synthetic")
"""The call's own, which a draft never holds."""


def call(**fields: Any) -> Call:
    whole: dict[str, Any] = {
        "call_id": "cal_" + "0" * 32,
        "owner": "phone-system",
        "version": 1,
        "received_at": NOW,
        "recorded_at": NOW,
        "saved_at": NOW,
        "synthetic": False,
        "abandoned_at": None,
        "finished_at": None,
        "referral_id": None,
        "closed_at": None,
    }
    return Call(**(whole | fields))


@pytest.mark.parametrize(
    "draft",
    [
        {},
        {"reporter": {}},
        {"children": []},
        {"children": [{}]},
        {"children": [{"name": "Test Ch"}]},
        {"children": [{"date_of_birth": "2012-0"}]},
        {"trigger": "care"},
        {"children": [{"age_years": 900}]},
    ],
)
def test_what_is_half_typed_is_kept(draft: dict[str, Any]) -> None:
    assert drafts.partial(draft) == draft


@pytest.mark.parametrize(
    ("draft", "loc"),
    [
        ({"caller_id": "203-555-0100"}, ("caller_id",)),
        ({"reporter": {"caller_id": "203-555-0100"}}, ("reporter", "caller_id")),
        ({"children": {}}, ("children",)),
        ({"children": [{"age_years": "15"}]}, ("children", 0, "age_years")),
        ({"children": [{}, {"name": "x" * 201}]}, ("children", 1, "name")),
        ({"children": [{}] * 21}, ("children",)),
    ],
)
def test_what_no_referral_may_hold_is_refused_at_once(draft: object, loc: tuple[Any, ...]) -> None:
    with pytest.raises(Unfit) as refused:
        drafts.partial(draft)
    assert [each["loc"] for each in refused.value.error.errors()] == [loc]


@pytest.mark.parametrize("name", ["received_at", "synthetic"])
def test_what_is_the_calls_own_is_refused(name: str) -> None:
    with pytest.raises(Rejected) as refused:
        drafts.partial({name: True})
    assert refused.value.flaws[0].path == (name,)


def test_null_is_what_is_not_known_yet() -> None:
    draft = {"trigger": None, "children": [{"name": None, "sex": "male"}]}
    assert drafts.partial(draft) == {"children": [{"sex": "male"}]}


def test_a_call_is_a_referral_with_the_calls_own_moment() -> None:
    received = NOW - timedelta(minutes=9)
    whole = drafts.whole(typed(), {"source_type": "ems"}, call(received_at=received), NOW)
    read = referrals.read(NewReferral, whole)
    assert (read.received_at, read.source_type.value) == (received, "ems")


def test_c33_what_was_written_down_later_than_it_came_in_is_marked() -> None:
    assert not call().backdated
    assert call(received_at=NOW - timedelta(hours=3)).backdated


def test_an_abandoned_call_is_not_over() -> None:
    assert call(abandoned_at=NOW).standing is Standing.ABANDONED
    assert not call(abandoned_at=NOW).over
    assert call(abandoned_at=NOW, finished_at=NOW).standing is Standing.FINISHED
    assert call(abandoned_at=NOW, closed_at=NOW).over


def test_fields_are_named_by_path_and_never_by_value() -> None:
    named = drafts.fields({"reporter": {"name": "Example"}, "children": [{"sex": "male"}, {}]})
    assert named == ["children.sex", "reporter.name"]


NAMES = st.sampled_from([*NewReferral.model_fields, "name", "sex", "unknown"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_kept_or_refused_and_what_is_kept_can_be_kept_again(value: object) -> None:
    try:
        kept = drafts.partial(value)
    except (Unfit, Rejected):
        return
    assert drafts.partial(kept) == kept


@pytest.mark.parametrize("field", ["date_of_birth", "sex", "missing_since", "ht_type"])
def test_p5_an_object_where_a_value_belongs_is_refused_and_its_keys_are_no_names(
    field: str,
) -> None:
    typed = {"children": [{field: {"Jane Canary 860": 1}}]}
    with pytest.raises(Rejected) as refused:
        drafts.partial(typed)
    (flaw,) = refused.value.flaws
    assert flaw.path == ("children", 0, field)
    assert "Canary" not in str(flaw)
    assert not any("Canary" in name for name in drafts.fields(typed))


@pytest.mark.parametrize("path", [each for each in sorted(paths(NewReferral)) if each not in OWN])
@pytest.mark.parametrize("nested", [{"Jane Canary 860": 1}, [{"Jane Canary 860": 1}]])
def test_p5_in_no_field_of_the_form_is_an_object_taken_for_a_value(
    path: str, nested: object
) -> None:
    typed = _at(path, nested)
    with pytest.raises((Rejected, Unfit)) as refused:
        drafts.partial(typed)
    assert isinstance(refused.value, Rejected), path
    assert "Canary" not in str(refused.value.flaws)
    assert "Canary" not in str(drafts.fields(typed))


@pytest.mark.parametrize(
    "path",
    ["trigger", "source_type", "children.date_of_birth", "children.sex", "children.missing_since"],
)
def test_p5_a_list_where_a_single_value_belongs_is_refused(path: str) -> None:
    with pytest.raises(Rejected) as refused:
        drafts.partial(_at(path, ["Jane Canary 860"]))
    (flaw,) = refused.value.flaws
    assert flaw.path[-1] == path.split(".")[-1]
    assert "Canary" not in str(flaw)


@pytest.mark.parametrize("path", ["children.incident_towns", "children.race_ethnicity"])
def test_a_list_where_the_form_has_one_is_kept(path: str) -> None:
    assert drafts.fields(drafts.partial(_at(path, ["half ty"]))) == [path]


def _at(path: str, value: object) -> dict[str, Any]:
    """A draft that holds this value at that place and nothing else."""
    *parts, name = path.split(".")
    typed: Any = {name: value}
    for part in reversed(parts):
        typed = {part: typed if part == "reporter" else [typed]}
    whole: dict[str, Any] = typed
    return whole
