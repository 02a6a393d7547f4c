"""The one spelling of what a leaf holds. Pure."""

from collections.abc import Mapping
from typing import Any

from pydantic_core import to_json

_PLAIN = frozenset({str, int, bool, type(None)})


def canonical(content: Mapping[str, Any]) -> bytes:
    """RFC 8785 for what leaves hold: strings, integers, null, lists and objects with ASCII keys."""
    return to_json(_in_order(content))


def _in_order(content: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value if type(value := content[name]) in _PLAIN else _settled(value)
        for name in sorted(content)
    }


def _settled(value: Any) -> Any:
    """The value, what is in it in order. Raises for what has no settled spelling."""
    if isinstance(value, dict):
        return _in_order(value)
    if isinstance(value, list | tuple):
        plain = _PLAIN.issuperset(map(type, value))
        return value if plain else [_settled(each) for each in value]
    if isinstance(value, str | int | None):
        return value
    if isinstance(value, float):
        raise ValueError("a leaf holds no fractions: their spelling is not settled")
    raise TypeError(f"a leaf holds no {type(value).__name__}")
