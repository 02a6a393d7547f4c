"""Errors over HTTP: RFC 9457 problem details, for everything, that never echo a value.

A pydantic validator that wants its sentence shown raises `Wrong`; of any other ValueError only
"is not valid" is said, because its text may hold the value.
"""

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request

from shared.runtime.db import unavailable
from shared.runtime.errors import Gone, Retryable, Wrong

MOST = 50
"""How many errors one answer names."""


class Problem(Exception):
    """An answer that is an error. `errors` are `{"pointer": "#/children/0/name", "detail": …}`."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str | None = None,
        *,
        type: str = "about:blank",
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.detail = detail
        self.type = type
        self.errors = errors
        self.headers = headers

    def response(self) -> JSONResponse:
        body: dict[str, object] = {"type": self.type, "title": self.title, "status": self.status}
        if self.detail:
            body["detail"] = self.detail
        if self.errors:
            body["errors"] = [dict(error) for error in self.errors]
        return JSONResponse(
            body, self.status, headers=self.headers, media_type="application/problem+json"
        )


def not_found() -> Problem:
    """The one 404: the same bytes for what is unknown, foreign or suppressed (P10)."""
    return Problem(404, "Not Found", "There is nothing here that you may see.")


def overloaded() -> Problem:
    return Problem(
        503, "Service Unavailable", "Try again in a moment.", headers={"Retry-After": "1"}
    )


def shredded() -> Problem:
    """What was here is destroyed. The record of who saw it stays, with the audit service."""
    return Problem(410, "Gone", "The content was destroyed for good. Who saw it stays on record.")


def of_exception(error: Exception) -> Problem:
    """What the caller is told of an exception nobody caught: whether trying again may help."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, Gone):
        return shredded()
    if isinstance(error, Retryable) or unavailable(error):
        return overloaded()
    return Problem(500, "Internal Server Error", "It is our fault. Trying again may not help.")


def install(app: FastAPI) -> None:
    """Answer every error of `app` with problem details."""

    async def problem(_: Request, error: Exception) -> JSONResponse:
        return of_exception(error).response()

    async def http(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        return _of_status(error).response()

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return of_validation(error.errors(), error.body).response()

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)


def _of_status(error: HTTPException) -> Problem:
    """Its detail is left out: whoever raised it may have put a value there."""
    if error.status_code == HTTPStatus.NOT_FOUND:
        return not_found()
    title = HTTPStatus(error.status_code).phrase
    detail = "The body is not valid JSON." if error.status_code == HTTPStatus.BAD_REQUEST else None
    return Problem(error.status_code, title, detail, headers=error.headers)


def of_validation(errors: Sequence[Any], body: object) -> Problem:
    """422 from pydantic's errors (`.errors()`), each with a pointer into `body`; 400 if no JSON.

    The first element of a `loc` says where: body, query, path or header.
    """
    if any(error["type"] == "json_invalid" for error in errors):
        return Problem(400, "Bad Request", "The body is not valid JSON.")
    return Problem(
        422,
        "Unprocessable Content",
        "Some fields are not as they must be; nothing was stored.",
        errors=[_place(error, body) | {"detail": _sentence(error)} for error in errors[:MOST]],
    )


def _place(error: Mapping[str, Any], body: object) -> dict[str, str]:
    where, *path = error["loc"]
    if where == "body":
        return {"pointer": _pointer(path, body, missing=error["type"] == "missing")}
    return {"in": str(where), "parameter": str(path[0]) if path else ""}


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}", re.ASCII)


def _pointer(path: Sequence[str | int], body: object, *, missing: bool) -> str:
    """Follows `body`, to leave out of `path` what only pydantic names (the arm of a union)."""
    steps = []
    for position, step in enumerate(path):
        found, inner = _child(body, step)
        if found or (missing and position == len(path) - 1):
            steps.append(step)
            body = inner
    return pointer(steps)


def pointer(path: Iterable[str | int]) -> str:
    """RFC 6901, as a URI fragment; it stops at a key that does not look like a field's name."""
    parts = itertools.takewhile(
        lambda step: isinstance(step, int) or _NAME.fullmatch(step) is not None, path
    )
    return "#" + "".join(f"/{part}" for part in parts)


def _child(body: object, step: str | int) -> tuple[bool, object]:
    if isinstance(body, dict) and step in body:
        return True, body[step]
    if isinstance(body, list) and isinstance(step, int) and step < len(body):
        return True, body[step]
    return False, body


_TELLING = re.compile(
    r"missing|extra_forbidden|json_type|finite_number|multiple_of|literal_error|enum|"
    r"greater_than(_equal)?|less_than(_equal)?|too_(short|long)|none_required|"
    r"string_(type|sub_type|too_short|too_long|pattern_mismatch|unicode)|"
    r"(int|float|bool|bytes|list|tuple|set|dict|model|date|time|datetime|uuid)_type|"
    r"(int|float|bool|date|datetime)_parsing|int_from_float|model_attributes_type|"
    r"date_from_datetime_(parsing|inexact)|(date|datetime)_(past|future)|timezone_(naive|aware)"
)
"""Errors of pydantic's whose sentence says what would be right and never what was sent."""


def _sentence(error: Mapping[str, Any]) -> str:
    kind = error["type"]
    if kind == "missing":
        return "This field is required."
    if kind == "extra_forbidden":
        return "This is not a field that is known here."
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, Wrong):
        return str(cause)
    if _TELLING.fullmatch(kind):
        return f"{error['msg']}."
    return "This is not valid."
