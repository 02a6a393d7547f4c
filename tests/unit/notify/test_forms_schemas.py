"""The published shapes of the forms, and that what we send has them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.notify.delivery.envelope import Notice, plaintext
from services.notify.forms.child import Child
from services.notify.forms.kinds import NEVER, RULES, FormKind
from services.notify.forms.schemas import PUBLISHED, published, read
from services.notify.forms.titles import part_of
from shared.contracts.codes import NoticeKind
from tests.support.forms import EXAMPLES, PARTNERS, PROFILES, example, schema

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def _valid(form: dict[str, Any], name: str = "dcf-737") -> bool:
    validator = jsonschema.Draft202012Validator(json.loads(published(name)))
    by_schema = validator.is_valid(form)
    try:
        read(json.dumps(form))
    except ValidationError:
        assert not by_schema, "our own reading refuses what the published schema allows"
        return False
    assert by_schema, "our own reading allows what the published schema refuses"
    return True


def _about(kind: FormKind) -> dict[str, Any]:
    part = RULES[kind].part
    return {} if part is None else {part: example(f"dcf-737.{kind.value}")[part]}


def _notice(kind: FormKind, child: dict[str, Any] | None) -> Notice:
    return Notice(
        notice_id="ntc_" + "b" * 32,
        kind=kind.value,
        version=2,
        supersedes=1,
        referral_number="HL-TEST-0001",
        trigger="careline",
        received_at=AT,
        agency_id="agy_" + "a" * 32,
        role="fbi",
        authority="CGS 17a-28",
        purpose="Investigate alleged trafficking",
        child_id="chd_" + "c" * 32,
        child=child,
        about=_about(kind),
    )


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_schema_is_the_one_in_force(name: str) -> None:
    kept = (PARTNERS / f"{name}.schema.json").read_text()
    assert kept == published(name), f"python -m services.notify forms schema {name}"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_has_the_published_shape(path: Path) -> None:
    form = json.loads(path.read_text())
    jsonschema.Draft202012Validator.check_schema(schema(path))
    assert _valid(form, path.name.split(".")[0])
    assert form["kind"] == path.stem.split(".")[1]


def test_every_kind_has_an_example() -> None:
    kinds = {path.stem for path in EXAMPLES if path.stem.startswith("dcf-737")}
    assert kinds == {f"dcf-737.{kind.value}" for kind in FormKind}


def test_what_notify_plans_is_a_kind_of_form() -> None:
    assert {kind.value for kind in NoticeKind} <= {kind.value for kind in FormKind}


@pytest.mark.parametrize("kind", FormKind)
@pytest.mark.parametrize("other", FormKind)
def test_a_kind_holds_its_own_part_and_no_other(kind: FormKind, other: FormKind) -> None:
    form = example(f"dcf-737.{kind.value}")
    part = RULES[other].part
    if part is not None:
        form[part] = _about(other)[part]
        assert _valid(form) == (part == RULES[kind].part)
        del form[part]
        assert _valid(form) == (part != RULES[kind].part)


@pytest.mark.parametrize("kind", [FormKind.SUPERSESSION, FormKind.RECALL])
def test_p8_what_is_content_free_cannot_name_a_child(kind: FormKind) -> None:
    form = example(f"dcf-737.{kind.value}")
    assert not _valid({**form, "child": {"child_id": "chd_" + "c" * 32}})


@pytest.mark.parametrize("kind", [FormKind.WITHDRAWAL, FormKind.RELATED_NOTICE])
def test_c9_c14_what_refers_to_a_child_says_nothing_of_it(kind: FormKind) -> None:
    form = example(f"dcf-737.{kind.value}")
    assert not _valid({**form, "child": {**form["child"], "name": "Test Child One"}})


@pytest.mark.parametrize("kind", [FormKind.ORIGINAL, FormKind.CORRECTION, FormKind.CONSULT_OUTCOME])
def test_what_is_about_a_child_has_one(kind: FormKind) -> None:
    form = example(f"dcf-737.{kind.value}")
    del form["child"]
    assert not _valid(form)


@pytest.mark.parametrize("kind", FormKind)
def test_the_envelope_sends_the_published_shape(kind: FormKind) -> None:
    child = example(f"dcf-737.{kind.value}").get("child")
    assert _valid(json.loads(plaintext(_notice(kind, child))))


def test_the_dcf_823_leaves_in_the_same_envelope() -> None:
    form = example("dcf-823.original")
    known = _notice(FormKind.ORIGINAL, form["child"])
    values = {name: getattr(known, name) for name in Notice.__slots__}
    values |= {"form": "DCF-823", "about": {"incident": form["incident"]}}
    assert _valid(json.loads(plaintext(Notice(**values))), "dcf-823")


CANARY = "canary-4711"
_anywhere = st.recursive(
    st.dictionaries(
        st.sampled_from([*NEVER, "parents", "name"]), st.just(CANARY), min_size=1, max_size=3
    ),
    lambda inner: st.dictionaries(
        st.sampled_from([*NEVER, "parents", "suspected_persons"]),
        st.one_of(inner, st.lists(inner, max_size=2), st.lists(st.lists(inner, max_size=2))),
        max_size=3,
    ),
    max_leaves=8,
)


def _names(value: object) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(_names, value.values()))
    return set().union(*map(_names, value)) if isinstance(value, list) else set()


@given(_anywhere)
def test_p4_no_envelope_tells_of_a_reporter_siblings_or_recipients(copy: dict[str, Any]) -> None:
    before = json.dumps(copy)
    form = json.loads(plaintext(_notice(FormKind.ORIGINAL, copy)))
    assert not _names(form) & set(NEVER)
    assert json.dumps(copy) == before, "the copy itself stays as it is"


def test_every_field_that_a_profile_lists_is_described() -> None:
    listed = yaml.safe_load(PROFILES.read_text())["profiles"].values()
    for path in {path for fields in listed for path in fields}:
        name, _, inner = path.partition(".")
        assert name in Child.model_fields, path
        model = part_of(Child, name)
        assert not inner or (model is not None and inner in model.model_fields), path
        assert not {name, inner} & set(NEVER), path


def test_receivers_and_we_ignore_members_that_are_not_known_yet() -> None:
    form = example()
    assert _valid({**form, "later": 1, "child": {**form["child"], "later": {"x": [1]}}})


def test_an_error_in_a_form_shows_none_of_it() -> None:
    form = example()
    child = {**form["child"], "age_years": CANARY}
    for wrong in ({**form, "child": child}, {**form, "form": CANARY}, {**form, "kind": CANARY}):
        with pytest.raises(ValidationError) as caught:
            read(json.dumps(wrong))
        assert CANARY not in str(caught.value)
