"""How a setting must be written, in words, from its declaration. Never what somebody wrote."""

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

_NOUNS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    Path: "the path of a file or a folder",
}
_LIMITS = {"gt": "greater than", "ge": "not less than", "lt": "less than", "le": "not more than"}


def form(field: FieldInfo) -> str:
    """`a number greater than 0, for example 2.0`."""
    example = None if field.is_required() else _plain(field.default)
    return f"{_noun(field)}{f', for example {example}' if example else ''}"


def _noun(field: FieldInfo) -> str:
    kind = _bare(field.annotation)
    if get_origin(kind) is Literal:
        return _one_of([str(each) for each in get_args(kind)])
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _one_of([str(each.value) for each in kind])
    pattern = next((p for m in field.metadata if (p := getattr(m, "pattern", None))), None)
    if pattern is not None:
        about = f" ({field.description.rstrip('.')})" if field.description else ""
        return f"what matches {pattern}{about}"
    limits = " and ".join(_limits(field))
    noun = _NOUNS.get(kind, "a text")
    return f"{noun} {limits}" if limits else noun


def _bare(kind: Any) -> Any:
    """Without `| None`."""
    if get_origin(kind) in (Union, UnionType):
        (kind, *_) = [each for each in get_args(kind) if each is not NoneType]
    return kind


def _limits(field: FieldInfo) -> Iterator[str]:
    for name, words in _LIMITS.items():
        for each in field.metadata:
            if (limit := getattr(each, name, None)) is not None:
                yield f"{words} {limit}"


def _one_of(values: list[str]) -> str:
    return f"{', '.join(values[:-1])} or {values[-1]}"


def _plain(default: object) -> str:
    """Of what may be shown: the code's own default."""
    if isinstance(default, bool):
        return ""
    return str(default.value if isinstance(default, Enum) else default or "")
