"""A copy under NIEM's names. Pure: what the copy does not hold, the view does not either (P4)."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from services.intake.answers import instant
from services.intake.niem.table import Row, Table
from services.intake.records import Version

MARKING = {"category": "IVIC", "basis": "by analogy: state data is not federal CUI"}
"""Victims of human trafficking, as the CUI registry names them."""

Node = dict[str, Any]


def referral(
    version: Version, copies: Iterable[tuple[str, Mapping[str, Any]]], table: Table
) -> Node:
    """The whole view: the referral once, and a document of its own for each child."""
    return {
        "@context": dict(table.namespaces),
        "hl:Marking": MARKING,
        "nc:Referral": {
            "nc:ActivityIdentification": {"nc:IdentificationID": version.number},
            "nc:ActivityReportedDate": {"nc:DateTime": instant(version.received_at)},
        },
        "hl:VersionNumeric": version.version,
        "hl:Child": [
            {"hl:ChildIdentification": {"nc:IdentificationID": child_id}, **child(copy, table)}
            for child_id, copy in copies
        ],
    }


def child(copy: Mapping[str, Any], table: Table) -> Node:
    """One child's copy. Fields that have no row are an error: the table is checked at start."""
    view: Node = {}
    for constant in table.constants:
        _put(view, constant.path, constant.value)
    for name, value in copy.items():
        group = table.groups.get(name)
        if group is None:
            _write(view, table.fields[name], value)
            continue
        for item in value:
            node = _item(view, group)
            for field, part in _parts(name, item):
                _write(node, table.fields[field], part)
    return view


def _parts(name: str, item: Any) -> Iterator[tuple[str, Any]]:
    """The fields of a group's item, which is an object or one value."""
    if isinstance(item, Mapping):
        yield from ((f"{name}.{leaf}", value) for leaf, value in item.items())
    else:
        yield name, item


def _write(node: Node, row: Row, value: Any) -> None:
    _put(node, row.path, _in_their_code(row, value))
    for name, fixed in row.beside.items():
        _put(node, f"{row.path.rpartition('/')[0]}/{name}", fixed)


def _in_their_code(row: Row, value: Any) -> Any:
    if not row.codes:
        return value
    if isinstance(value, list):
        return list(dict.fromkeys(row.codes[each] for each in value))
    return row.codes[value]


def _put(node: Node, path: str, value: Any) -> None:
    *steps, last = path.split("/")
    _at(node, steps)[last] = value


def _item(node: Node, path: str) -> Node:
    """A new object at the end of the list at `path`."""
    *steps, last = path.split("/")
    item: Node = {}
    _at(node, steps).setdefault(last, []).append(item)
    return item


def _at(node: Node, steps: Iterable[str]) -> Node:
    for step in steps:
        node = node.setdefault(step, {})
    return node
