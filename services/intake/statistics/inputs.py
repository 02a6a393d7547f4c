"""What the requests of the statistics have in common: a person, a path, an answer in JSON."""

import json
import re

from fastapi import Request, Response

from shared.runtime.auth import Principal
from shared.runtime.problem import Problem, not_found


def key_taken() -> Problem:
    detail = "This Idempotency-Key came before with another body: use a new key."
    return Problem(409, "Conflict", detail)


def person(caller: Principal) -> str:
    """The caller's subject. Raises Problem 403 for a machine's token: a person answers for it."""
    if not caller.person:
        raise Problem(403, "Forbidden", "This needs a person's token.")
    return caller.subject


def fitting(request: Request, name: str, pattern: re.Pattern[str]) -> str:
    """From the path. Raises the one 404 for what cannot be such an id."""
    given: str = request.path_params[name]
    if not pattern.fullmatch(given):
        raise not_found()
    return given


def json_answer(
    content: object, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status, headers=headers, media_type="application/json")
