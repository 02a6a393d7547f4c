"""What one operation of the API takes and answers, and how OpenAPI 3.1 says it.

The routes read bodies and headers by hand, so that they refuse what FastAPI would mend; nothing of
that can be derived from their signatures. Each area declares its operations in a module here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

Json = dict[str, Any]

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
PROBLEM = "application/problem+json"


class Key(StrEnum):
    """Whether an operation takes an Idempotency-Key."""

    NONE = "none"
    WELCOME = "welcome"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Takes:
    """A request's body: a model, or a schema of its own under a name."""

    name: str
    schema: type[BaseModel] | Json
    media: str = JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path. `also` are refusals that do not follow from the rest.

    It answers with JSON that fits `answer`, with text of one of the types in `texts`, or with
    either. An example of text is its beginning.
    """

    id: str
    method: str
    path: str
    tag: str
    summary: str
    scopes: tuple[str, ...]
    answer: type[BaseModel] | None = None
    texts: tuple[str, ...] = ()
    status: int = 200
    takes: Takes | None = None
    key: Key = Key.NONE
    if_match: bool = False
    etag: bool = False
    location: bool = False
    person: bool = False
    also: frozenset[int] = field(default_factory=frozenset)

    def refusals(self) -> frozenset[int]:
        """Every status beside the good one that it answers with."""
        found = {401, 403, 503, *self.also}
        if self.takes is not None:
            found |= {400, 408, 413, 415, 422}
        if self.key is not Key.NONE:
            found |= {400, 409}
        if "{" in self.path:
            found |= {404, 410}
        if self.if_match:
            found |= {412, 428}
        return frozenset(found)


def describe(operation: Operation, examples: list[Json]) -> Json:
    """The Operation Object. `examples` are of examples.yaml, the first one first."""
    told: Json = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "security": [{"bearer": [scope]} for scope in operation.scopes],
        "responses": _responses(operation, examples),
    }
    if operation.person:
        told["description"] = "Only with a natural person's token: a machine's is 403."
    if parameters := [*_path(operation, examples), *_headers(operation)]:
        told["parameters"] = parameters
    if operation.takes is not None:
        content: Json = {"schema": ref(operation.takes.name)}
        content["examples"] = {each["name"]: {"value": each["body"]} for each in examples}
        told["requestBody"] = {"required": True, "content": {operation.takes.media: content}}
    return told


def ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _path(operation: Operation, examples: list[Json]) -> Iterator[Json]:
    for name in re.findall(r"\{(\w+)\}", operation.path):
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "schema": _PATH_SCHEMAS.get(name, _ID),
            "example": examples[0]["path"][name],
        }


def _headers(operation: Operation) -> Iterator[Json]:
    if operation.key is not Key.NONE:
        name = "IdempotencyKey" if operation.key is Key.REQUIRED else "OptionalIdempotencyKey"
        yield {"$ref": f"#/components/parameters/{name}"}
    if operation.if_match:
        yield {"$ref": "#/components/parameters/IfMatch"}


def _responses(operation: Operation, examples: list[Json]) -> Json:
    good: Json = {
        "description": HTTPStatus(operation.status).phrase,
        "content": _content(operation, examples),
    }
    headers = {"ETag": operation.etag, "Location": operation.location}
    good["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in headers
                       if headers[name]} | dict(_ALWAYS)  # fmt: skip
    refused = {
        str(status): {"$ref": f"#/components/responses/{status}"}
        for status in sorted(operation.refusals())
    }
    return {str(operation.status): good} | refused


def _content(operation: Operation, examples: list[Json]) -> Json:
    told: Json = {}
    if operation.answer is not None:
        told[JSON] = {"schema": ref(operation.answer.__name__)} | _told(examples, text=False)
    for media in operation.texts:
        told[media] = {"schema": {"type": "string"}} | _told(examples, text=True)
    return told


def _told(examples: list[Json], *, text: bool) -> Json:
    fitting = [each for each in examples if isinstance(each["answer"], str) is text]
    return {"examples": {each["name"]: {"value": each["answer"]} for each in fitting}}


_ALWAYS = {"Hartline-Version": {"$ref": "#/components/headers/Hartline-Version"}}
_ID: Json = {"type": "string", "pattern": "^[a-z]{3}_[0-9a-f]{32}$"}
_COUNTED: Json = {"type": "integer", "minimum": 1, "maximum": 999_999_999}
_PATH_SCHEMAS: dict[str, Json] = {
    "version": _COUNTED,
    "number": _COUNTED,
    "year": {"type": "integer", "minimum": 2000, "maximum": 2199},
}
