"""The OpenAPI 3.1 document of intake, made of the areas' declarations and examples.yaml."""

import re
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from services.intake.openapi import (
    calls,
    decisions,
    hart,
    placements,
    referrals,
    statistics,
    telling,
)
from services.intake.openapi.operations import PROBLEM, Json, Operation, describe, ref
from services.intake.versions import API_VERSION, DEPRECATIONS, Deprecated

EXAMPLES = Path(__file__).parent / "examples.yaml"

OPERATIONS: Sequence[Operation] = (
    *referrals.OPERATIONS,
    *calls.OPERATIONS,
    *decisions.OPERATIONS,
    *hart.OPERATIONS,
    *placements.OPERATIONS,
    *statistics.OPERATIONS,
    *telling.OPERATIONS,
)

_PROBLEMS = {
    400: "Not JSON, or a header is missing or malformed. Mend the request.",
    401: "No valid token. Get a new one and send the same request again.",
    403: "The token lacks the scope, or belongs to a machine where a person is asked for.",
    404: "Unknown, malformed, foreign and hidden ids alike: the same bytes for each.",
    408: "The body did not arrive in time. Send it again.",
    409: "The key came before with another request, or the state forbids it. With Retry-After: "
    "the same request is under way; send it again then.",
    410: "The content was destroyed for good: there is nothing to read or amend.",
    412: "There is a newer version. Read it, then amend that.",
    413: "The body is larger than 1 MiB.",
    415: "Another content type, charset or encoding than the one declared.",
    422: "Fields are not as they must be. `errors` names each by its JSON pointer.",
    428: "If-Match is missing.",
    503: "Overloaded, or the database is away. Send the same again after Retry-After.",
}
_RETRYING = (409, 503)


class _Plain(GenerateJsonSchema):
    """Without a title for every field, which only repeats its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


@cache
def load_examples() -> list[Json]:
    """In the order of one story, in which each can be sent."""
    return cast(list[Json], yaml.safe_load(EXAMPLES.read_text(encoding="utf-8")))


def document(deprecations: Collection[Deprecated] = DEPRECATIONS) -> Json:
    """All of it, as JSON values."""
    paths: Json = {}
    for operation in OPERATIONS:
        examples = [each for each in load_examples() if each["operation"] == operation.id]
        paths.setdefault(operation.path, {})[operation.method.lower()] = describe(
            operation, examples
        )
    schemas = _schemas()
    for each in deprecations:
        _mark(paths[each.path][each.method.lower()], schemas, each.field)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hartline intake",
            "version": API_VERSION,
            "description": "Referrals of child trafficking, from the Careline's phone system and "
            "DCF's own systems. docs/careline.md shows the way in. All people are invented.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "responses": {str(status): _problem(status) for status in _PROBLEMS},
            "parameters": _PARAMETERS,
            "headers": _HEADERS,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT (RFC 9068)"}
            },
        },
    }


def _schemas() -> Json:
    found: Json = {"Problem": _PROBLEM}
    for operation in OPERATIONS:
        if operation.answer is not None:
            _add(found, operation.answer.__name__, operation.answer, "serialization")
        if operation.takes is not None:
            schema = operation.takes.schema
            if isinstance(schema, dict):
                found[operation.takes.name] = schema
            else:
                _add(found, operation.takes.name, schema, "validation")
    return found


def _add(found: Json, name: str, model: type[BaseModel], mode: Any) -> None:
    schema = model.model_json_schema(
        ref_template="#/components/schemas/{model}", schema_generator=_Plain, mode=mode
    )
    for inner, definition in [*schema.pop("$defs", {}).items(), (name, schema)]:
        definition.pop("title", None)
        if found.setdefault(inner, definition) != definition:
            raise ValueError(f"two schemas are called {inner}")


def _problem(status: int) -> Json:
    headers: Json = {"Hartline-Version": {"$ref": "#/components/headers/Hartline-Version"}}
    if status in _RETRYING:
        headers["Retry-After"] = {"$ref": "#/components/headers/Retry-After"}
    if status in (401, 403):
        headers["WWW-Authenticate"] = {"$ref": "#/components/headers/WWW-Authenticate"}
    return {
        "description": _PROBLEMS[status],
        "headers": headers,
        "content": {PROBLEM: {"schema": ref("Problem")}},
    }


def _mark(operation: Json, schemas: Json, path: str | None) -> None:
    """Say `deprecated` of an operation, or of the member of its body that `path` leads to."""
    if path is None:
        operation["deprecated"] = True
        return
    (content,) = operation["requestBody"]["content"].values()
    owner: Json = content["schema"]
    steps = path.split("/")
    for step in steps[:-1]:
        owner = _step(_resolved(owner, schemas), step)
    _step(_resolved(owner, schemas), steps[-1])["deprecated"] = True


def _step(schema: Json, step: str) -> Json:
    return cast(Json, schema["items"] if step == "*" else schema["properties"][step])


def _resolved(schema: Json, schemas: Json) -> Json:
    name = re.fullmatch(r"#/components/schemas/(\w+)", schema.get("$ref", ""))
    return cast(Json, schemas[name[1]]) if name else schema


def problems() -> Iterator[tuple[int, str]]:
    """Each status with what it asks of the caller."""
    yield from _PROBLEMS.items()


_PROBLEM: Json = {
    "type": "object",
    "description": "RFC 9457 problem details. Never repeats a value that was sent.",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What to do, in a sentence."},
        "errors": {
            "type": "array",
            "maxItems": 50,
            "items": {
                "type": "object",
                "required": ["detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "RFC 6901, as a URI fragment."},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}
_KEY_SCHEMA: Json = {"type": "string", "pattern": "^[\\x21-\\x7e]{1,128}$"}
_PARAMETERS: Json = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "required": True,
        "description": "New for each request, the same when that request is sent again: the first "
        "answer comes again, and nothing is done twice.",
        "schema": _KEY_SCHEMA,
        "example": "9f1c6a52-6f6e-4a53-8f0e-2f6f0c3a7b10",
    },
    "OptionalIdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "With it, the request may be sent again when its answer was lost.",
        "schema": _KEY_SCHEMA,
        "example": "1f3d2c84-9f51-4a0e-b7b1-1de7e3f6a911",
    },
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "required": True,
        "description": "The ETag of the version that is amended.",
        "schema": {"type": "string", "minLength": 1},
        "example": '"1"',
    },
}
_HEADERS: Json = {
    "ETag": {
        "description": "The version, in quotes.",
        "required": True,
        "schema": {"type": "string", "pattern": '^"[0-9]+"$'},
    },
    "Location": {
        "description": "Where the referral is.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Hartline-Version": {
        "description": "The version of this document that the answer keeps to.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Retry-After": {"description": "In seconds.", "schema": {"type": "integer", "minimum": 0}},
    "WWW-Authenticate": {"description": "RFC 6750.", "schema": {"type": "string"}},
}
