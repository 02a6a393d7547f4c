import json
from typing import Annotated, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from shared.runtime.errors import Misconfigured, Retryable, Wrong
from shared.runtime.problem import MOST, Problem, not_found, of_exception, of_validation, pointer
from shared.runtime.text import check_text

SECRET = "Test Child One"


def no_value(text: str) -> str:
    raise ValueError(f"{text} is not allowed")


def no_secret(text: str) -> str:
    raise Wrong("must be something else")


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")
    age: int = 0
    name: Annotated[str, Field(max_length=5)] = ""
    echoing: Annotated[str, AfterValidator(no_value)] = ""
    telling: Annotated[str, AfterValidator(no_secret)] = ""
    pets: list[Annotated[Dog | Cat, Field(discriminator="kind")]] = []
    either: int | list[int] = 0
    required: int


def answer(body: object) -> dict[str, str]:
    """Pointer → sentence, as FastAPI would ask for it."""
    try:
        Strict.model_validate(body)
    except ValidationError as error:
        errors = [found | {"loc": ("body", *found["loc"])} for found in error.errors()]
        problem = of_validation(errors, body)
        assert problem.status == 422
        return {found["pointer"]: found["detail"] for found in problem.errors}
    return {}


def test_each_wrong_field_is_named_by_a_pointer_with_what_would_be_right() -> None:
    assert answer({"age": SECRET, "name": SECRET, "telling": SECRET}) == {
        "#/age": "Input should be a valid integer, unable to parse string as an integer.",
        "#/name": "String should have at most 5 characters.",
        "#/telling": "must be something else",
        "#/required": "This field is required.",
    }


def test_a_validator_s_own_text_is_shown_only_if_it_says_so() -> None:
    assert answer({"required": 1, "echoing": SECRET}) == {"#/echoing": "This is not valid."}


def test_the_arms_of_a_union_are_no_part_of_a_pointer() -> None:
    body = {
        "required": 1,
        "pets": [{"kind": "dog", "name": 1}, {"kind": SECRET}],
        "either": [SECRET],
    }
    assert set(answer(body)) == {"#/pets/0/name", "#/pets/1", "#/either", "#/either/0"}


def test_an_unknown_field_is_pointed_at_unless_its_name_may_be_a_value() -> None:
    body = {"required": 1, "nmae": 1}
    assert answer(body) == {"#/nmae": "This is not a field that is known here."}
    assert list(answer({"required": 1, SECRET: 1})) == ["#"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(list(Strict.model_fields)), JSON))
def test_no_value_is_ever_echoed(body: dict[str, object]) -> None:
    marked = json.loads(json.dumps(body), parse_int=str, parse_float=str)
    marked = _mark(marked)
    assert "zebra" not in json.dumps(answer(marked))


def _mark(value: object) -> object:
    if isinstance(value, dict):
        return {key: _mark(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_mark(item) for item in value]
    return f"zebra{value}"


def test_one_answer_names_a_bounded_number_of_errors() -> None:
    assert len(answer({f"field_{n}": 1 for n in range(MOST * 3)})) == MOST


def test_what_is_not_json_is_400_and_other_places_are_named() -> None:
    broken = {"type": "json_invalid", "loc": ("body", 3), "msg": SECRET}
    assert of_validation([broken], None).status == 400
    query = {"type": "missing", "loc": ("query", "limit"), "msg": ""}
    [error] = of_validation([query], None).errors
    assert error == {"in": "query", "parameter": "limit", "detail": "This field is required."}


@pytest.mark.parametrize(
    ("path", "expected"),
    [((), "#"), (("a", 0, "b_c-d"), "#/a/0/b_c-d"), (("a", "b/c", "d"), "#/a"), (("",), "#")],
)
def test_a_pointer_ends_where_a_name_might_be_a_value(
    path: tuple[str | int, ...], expected: str
) -> None:
    assert pointer(path) == expected


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Problem(409, "Conflict"), 409),
        (Retryable("later"), 503),
        (ConnectionRefusedError(), 503),
        (TimeoutError(), 503),
        (Misconfigured("x"), 500),
        (RuntimeError(SECRET), 500),
    ],
)
def test_an_exception_tells_the_caller_whether_to_try_again(error: Exception, status: int) -> None:
    response = of_exception(error).response()
    assert response.status_code == status
    assert SECRET not in bytes(response.body).decode()
    assert (response.headers.get("retry-after") == "1") == (status == 503)


def test_every_404_has_the_same_bytes() -> None:
    """P10"""
    one, two = not_found().response(), not_found().response()
    assert (one.body, one.headers) == (two.body, two.headers)
    assert one.media_type == "application/problem+json"


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        (r'{"a": ["x", "\u0000"]}', ["#/a/1"]),
        (r'{"a": "\ud800", "b": {"c": "\uDFFF"}}', ["#/a", "#/b/c"]),
        (r'{"\u0000": 1}', ["#"]),
        (r'"\ud83d"', ["#"]),
    ],
)
def test_text_that_cannot_be_stored_is_refused(body: str, pointers: list[str]) -> None:
    with pytest.raises(Problem) as refused:
        check_text(body.encode())
    assert refused.value.status == 422
    assert [error["pointer"] for error in refused.value.errors] == pointers


@pytest.mark.parametrize(
    "body", [r'{"a": "\ud83d\ude00"}', r'{"a": "\\u0000"}', r'{"\u0000', "[" * 100_000 + r"\u0000"]
)
def test_other_text_passes(body: str) -> None:
    check_text(body.encode())
