"""JSON that reads one way only: no name twice, no bottomless nesting, nothing beside RFC 8259.

Text that cannot be stored (NUL, half a surrogate pair) never gets here: `shared.runtime.guard`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

MAX_DEPTH = 32
MAX_FLAWS = 50
_MAX_DIGITS = 1000

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong where, in words that say what would be right. Never the value."""

    path: Path
    detail: str


class NotJson(Exception):
    """The body is not JSON at all: reject it. The text says why, and quotes nothing."""


class Rejected(Exception):
    """The body cannot be accepted as it is: reject it and name each flaw."""

    def __init__(self, *flaws: Flaw) -> None:
        super().__init__(f"{len(flaws)} flaws")
        self.flaws = flaws


class _Doubled(dict[str, object]):
    """An object in which a name appears twice; which one was meant nobody can say."""


def parse(body: bytes) -> object:
    """The value of a JSON text. Raises NotJson or Rejected."""
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_int=_integer,
        )
    except UnicodeDecodeError:
        raise NotJson("The body must be JSON in UTF-8.") from None
    except json.JSONDecodeError:
        raise NotJson("The body must be one JSON text (RFC 8259).") from None
    except RecursionError:
        raise Rejected(_too_deep(())) from None
    if flaws := tuple(islice(_flaws(value, ()), MAX_FLAWS)):
        raise Rejected(*flaws)
    return value


def canonical(value: object) -> bytes:
    """The same bytes for the same value, however it was spaced and ordered."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    return value if len(value) == len(pairs) else _Doubled(value)


def _no_constant(name: str) -> object:
    raise NotJson(f"The body must be JSON, which has no {name}.")


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise Rejected(Flaw((), f"must not hold a number of more than {_MAX_DIGITS} digits"))
    return int(digits)


def _too_deep(path: Path) -> Flaw:
    return Flaw(path, f"must not be nested deeper than {MAX_DEPTH}")


def _flaws(value: object, path: Path) -> Iterator[Flaw]:
    if not isinstance(value, dict | list):
        return
    if len(path) >= MAX_DEPTH:
        yield _too_deep(path)
        return
    if isinstance(value, _Doubled):
        yield Flaw(path, "must not name a field twice")
    for step, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield from _flaws(item, (*path, step))
