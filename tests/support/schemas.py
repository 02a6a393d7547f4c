"""Bodies made from a schema: what fits it, for property tests over the whole model."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from pydantic import BaseModel

Schema = Mapping[str, Any]

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
SAID = TEXT.filter(str.strip)
MOMENTS = st.integers(946_684_800_000_000, 1_767_000_000_000_000).map(
    lambda micros: (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)).isoformat()
)
DAYS = st.dates(date(1990, 1, 1), date(2025, 12, 31)).map(date.isoformat)


def bodies(model: type[BaseModel]) -> st.SearchStrategy[Any]:
    """Whatever fits the model's own JSON Schema; rules beside the schema are the test's to mend."""
    schema = model.model_json_schema()
    return _of(schema, schema.get("$defs", {}))


def text_leaves(model: type[BaseModel]) -> set[str]:
    """The path of every field that takes free text."""
    schema = model.model_json_schema()
    return set(_texts(schema, schema.get("$defs", {}), ""))


def _of(schema: Schema, defs: Mapping[str, Schema]) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        return _of(defs[schema["$ref"].rpartition("/")[2]], defs)
    if "anyOf" in schema:
        return st.one_of(*(_of(each, defs) for each in schema["anyOf"]))
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema["type"]:
        case "object":
            return _object(schema, defs)
        case "array":
            return _array(schema, defs)
        case "string":
            return _string(schema)
        case "integer":
            return st.integers(schema.get("minimum"), schema.get("maximum"))
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case other:
            raise NotImplementedError(other)


def _object(schema: Schema, defs: Mapping[str, Schema]) -> st.SearchStrategy[Any]:
    properties = {name: _of(each, defs) for name, each in schema["properties"].items()}
    required = {name: properties.pop(name) for name in schema.get("required", [])}
    return st.fixed_dictionaries(required, optional=properties)


def _array(schema: Schema, defs: Mapping[str, Schema]) -> st.SearchStrategy[Any]:
    items = schema["items"]
    return st.lists(
        _of(items, defs),
        min_size=schema.get("minItems", 0),
        max_size=3,
        unique="enum" in items,
    )


def _string(schema: Schema) -> st.SearchStrategy[str]:
    if "pattern" in schema:
        return st.from_regex(schema["pattern"].replace("$", r"\Z"))
    match schema.get("format"):
        case "date-time":
            return MOMENTS
        case "date":
            return DAYS
        case None:
            return SAID
        case other:
            raise NotImplementedError(other)


def _texts(schema: Schema, defs: Mapping[str, Schema], path: str) -> Iterator[str]:
    if "$ref" in schema:
        yield from _texts(defs[schema["$ref"].rpartition("/")[2]], defs, path)
    elif "anyOf" in schema:
        for each in schema["anyOf"]:
            yield from _texts(each, defs, path)
    elif schema.get("type") == "object":
        for name, each in schema["properties"].items():
            yield from _texts(each, defs, f"{path}.{name}" if path else name)
    elif schema.get("type") == "array":
        if "$ref" in schema["items"]:
            yield from _texts(schema["items"], defs, path)
    elif schema.get("type") == "string" and not {"enum", "format", "pattern"} & set(schema):
        yield path
