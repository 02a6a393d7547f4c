"""What changed between two copies of one child: the names of fields, never what they held.

A former value may be the very thing that was wrong to tell, so a correction does not repeat it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from services.notify.forms.kinds import permitted


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, str]]:
    """For a correction's `changes`: each field that differs, by path, and how; sorted by path.

    Both copies are of one child and one profile. A field of a list of people or places is one
    path, whichever of them it changed for.
    """
    old, new = _by_path(before), _by_path(after)
    return [
        {"field": path, "change": _change(path in old, path in new)}
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    ]


def _change(before: bool, after: bool) -> str:
    if before and after:
        return "changed"
    return "added" if after else "removed"


def _by_path(copy: Mapping[str, Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for path, place, value in _values(permitted(copy), "", ()):
        found.setdefault(path, []).append((place, value))
    found.pop("child_id", None)
    return found


def _values(
    copy: Mapping[str, Any], prefix: str, place: tuple[int, ...]
) -> Iterator[tuple[str, tuple[int, ...], Any]]:
    for name, value in copy.items():
        items = value if isinstance(value, list) else [value]
        if not any(isinstance(item, dict) for item in items):
            yield prefix + name, place, value
            continue
        for index, item in enumerate(items):
            if isinstance(item, dict):
                yield from _values(item, f"{prefix}{name}.", (*place, index))
