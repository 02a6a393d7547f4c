"""The examples of the OpenAPI document as one story, told to the real app."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from services.intake.openapi.document import OPERATIONS
from services.intake.openapi.operations import JSON, MERGE_PATCH, Key, Operation

TOLD_AT = datetime(2026, 3, 2, 19, 7, tzinfo=UTC)
"""When the story happens, in the examples' own time."""
BY_ID: Mapping[str, Operation] = {each.id: each for each in OPERATIONS}
_ID = re.compile(r"\b[a-z]{3}_[0-9a-f]{32}\b")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})")
_NUMBER = re.compile(r"HL-[0-9A-Z]{4}-[0-9A-Z]{4}")
_ROWS = 2
_BEGINNING = 160

Bearer = Callable[[str, list[str], bool], Mapping[str, str]]


@dataclass
class Teller:
    """Sends examples in order. `real` grows: an example's id → the app's."""

    bearer: Bearer
    real: dict[str, str] = field(default_factory=dict)
    shift: timedelta = field(default_factory=lambda: datetime.now(UTC) - TOLD_AT)

    def request(self, example: Mapping[str, Any], number: int) -> httpx.Request:
        """What the example sends, with the app's ids and today's times."""
        operation = BY_ID[example["operation"]]
        path = operation.path.format(**self.of_app(example.get("path", {})))
        headers = dict(
            self.bearer(example["as"], [operation.scopes[0]], example.get("person", False))
        )
        if operation.key is Key.REQUIRED:
            headers["Idempotency-Key"] = f"story-{number}"
        if "if_match" in example:
            headers["If-Match"] = example["if_match"]
        if operation.takes is None:
            return httpx.Request(operation.method, f"http://intake.test{path}", headers=headers)
        headers["Content-Type"] = operation.takes.media
        return httpx.Request(
            operation.method,
            f"http://intake.test{path}",
            headers=headers,
            json=self.of_app(example["body"]),
        )

    def learn(self, example: object, answer: object) -> None:
        """Bind the ids of an example's answer to those that came in their places."""
        if isinstance(example, dict) and isinstance(answer, dict):
            for name in example.keys() & answer.keys():
                self.learn(example[name], answer[name])
        elif isinstance(example, list) and isinstance(answer, list):
            for one, other in zip(example, answer, strict=False):
                self.learn(one, other)
        elif isinstance(example, str) and isinstance(answer, str):
            for one, other in zip(_ID.findall(example), _ID.findall(answer), strict=False):
                self.real.setdefault(one, other)

    def of_app(self, value: Any) -> Any:
        return _mapped(value, lambda text: _ID.sub(self._id, _MOMENT.sub(self._moment, text)))

    def _id(self, found: re.Match[str]) -> str:
        return self.real.get(found[0], found[0])

    def _moment(self, found: re.Match[str]) -> str:
        moved = datetime.fromisoformat(found[0]) + self.shift
        return moved.isoformat(timespec="seconds")


def content(answer: httpx.Response) -> Any:
    """What an example holds of an answer: JSON with the first of many rows, a text's beginning."""
    if answer.headers["content-type"].startswith(JSON):
        return _abridged(answer.json())
    return answer.text[:_BEGINNING]


def _abridged(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _abridged(item[:_ROWS] if name in ("tables", "rows") else item)
            for name, item in value.items()
        }
    return [_abridged(item) for item in value] if isinstance(value, list) else value


def form(value: Any) -> Any:
    """An answer without what differs each time: ids by kind, times, numbers, this year."""
    return _mapped(
        _timeless(value),
        lambda text: _NUMBER.sub(
            "(number)", _MOMENT.sub("(time)", _ID.sub(lambda m: m[0][:3] + "_(id)", text))
        ),
    )


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: "(year)" if name == "year" else _timeless(item) for name, item in value.items()
        }
    return [_timeless(item) for item in value] if isinstance(value, list) else value


@dataclass
class Scribe:
    """Turns the app's answers into an example's: small ids, the story's own times."""

    known: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def write(self, value: Any) -> Any:
        return _mapped(value, self._text)

    def _text(self, text: str) -> str:
        text = _ID.sub(self._id, text)
        text = _NUMBER.sub("HL-7Q2K-M9XD", text)
        return _MOMENT.sub("2026-03-02T19:07:00Z", text)

    def _id(self, found: re.Match[str]) -> str:
        kind = found[0][:3]
        if found[0] not in self.known:
            self.counts[kind] = self.counts.get(kind, 0) + 1
            self.known[found[0]] = f"{kind}_{self.counts[kind]:032x}"
        return self.known[found[0]]


def _mapped(value: Any, of_text: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {of_text(name): _mapped(item, of_text) for name, item in value.items()}
    if isinstance(value, list):
        return [_mapped(item, of_text) for item in value]
    return of_text(value) if isinstance(value, str) else value


__all__ = ["BY_ID", "MERGE_PATCH", "Scribe", "Teller", "content", "form"]
