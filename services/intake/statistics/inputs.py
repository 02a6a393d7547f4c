"""What the requests of the statistics have in common: a path, an answer in JSON."""

import json
import re

from fastapi import Request, Response

from services.intake.replies import reply
from shared.runtime.problem import not_found


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
    return reply(text, status, headers=headers)
