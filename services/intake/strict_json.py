"""JSON that can be kept exactly: RFC 8259 in UTF-8, without what would be mangled on its way."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

MAX_DEPTH = 32
MAX_FLAWS = 50
_MAX_DIGITS = 1000


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong where (RFC 6901), in words that say what would be right. Never the value."""

    pointer: str
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
        raise Rejected(_TOO_DEEP) from None
    if flaws := tuple(islice(_flaws(value, "", 0), MAX_FLAWS)):
        raise Rejected(*flaws)
    return value


def canonical(value: object) -> bytes:
    """The same bytes for the same value, however it was spaced and ordered."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def step(pointer: str, name: str | int) -> str:
    """One step down. A name that could be a value in disguise is left out."""
    if isinstance(name, str) and not (name.isascii() and name.isidentifier() and len(name) <= 40):
        return pointer
    return f"{pointer}/{name}"


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    return value if len(value) == len(pairs) else _Doubled(value)


def _no_constant(name: str) -> object:
    raise NotJson("The body must be JSON, which has no NaN and no Infinity.")


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise Rejected(Flaw("", f"must not hold a number of more than {_MAX_DIGITS} digits"))
    return int(digits)


_TOO_DEEP = Flaw("", f"must not be nested deeper than {MAX_DEPTH}")
_UNKEEPABLE = "must not contain U+0000 or an unpaired surrogate"


def _flaws(value: object, pointer: str, depth: int) -> Iterator[Flaw]:
    if isinstance(value, str):
        if not keepable(value):
            yield Flaw(pointer, _UNKEEPABLE)
        return
    if not isinstance(value, dict | list):
        return
    if depth >= MAX_DEPTH:
        yield Flaw(pointer, _TOO_DEEP.detail)
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _flaws(item, f"{pointer}/{index}", depth + 1)
        return
    if isinstance(value, _Doubled):
        yield Flaw(pointer, "must not name a field twice")
    for name, item in value.items():
        if not keepable(name):
            yield Flaw(pointer, f"{_UNKEEPABLE} in a field's name")
        yield from _flaws(item, step(pointer, name), depth + 1)


def keepable(text: str) -> bool:
    """Whether UTF-8 and PostgreSQL can keep every character of it."""
    if text.isascii():
        return "\0" not in text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return "\0" not in text
