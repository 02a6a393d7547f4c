"""Text that PostgreSQL and UTF-8 can hold: neither NUL nor half of a surrogate pair."""

import json
import re
from collections.abc import Iterator
from itertools import islice

from shared.runtime.characters import storable
from shared.runtime.problem import MOST, Problem, pointer

_SUSPECT = re.compile(rb"\\u(0000|[dD][89a-fA-F])")


def check_text(body: bytes) -> None:
    """Raises Problem 422 for a JSON body with text that could not be stored exactly.

    Both can only be written as escapes, so most bodies are not parsed for it. What is not JSON
    is somebody else's to refuse.
    """
    if not _SUSPECT.search(body):
        return
    try:
        found = list(islice(_unstorable([], json.loads(body)), MOST))
    except (ValueError, RecursionError):
        return
    if found:
        detail = "Text must be whole Unicode characters other than NUL."
        raise Problem(
            422,
            "Unprocessable Content",
            errors=[{"pointer": pointer(path), "detail": detail} for path in found],
        )


def _unstorable(path: list[str | int], value: object) -> Iterator[list[str | int]]:
    if isinstance(value, str):
        if not storable(value):
            yield path
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unstorable([*path, index], item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not storable(key):
                yield path
            yield from _unstorable([*path, key], item)
