"""The directory as a table that people edit: a CSV file, one agency a row. Pure.

The first row names the columns, as in `COLUMNS`, in any order; a column that is left out changes
nothing, an empty cell empties the field. Lists are separated by semicolons.
"""

import csv
import json
from collections.abc import Iterable, Mapping
from io import StringIO
from pathlib import Path
from typing import Any, get_origin

from services.notify.directory.entries import AgencyEntry
from shared.runtime.errors import Misconfigured

COLUMNS = tuple(AgencyEntry.model_fields)
_LISTS = frozenset(
    name for name, field in AgencyEntry.model_fields.items() if get_origin(field.annotation) is list
)
_NUMBERS = ("max_in_flight", "max_per_minute")
_YES = {"yes": True, "true": True, "no": False, "false": False, "": False}


def read(path: Path) -> list[dict[str, Any]]:
    """A change per row, for `directory_changes.draft`. Raises Misconfigured, naming the line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            unknown = sorted(set(rows.fieldnames or ()) - set(COLUMNS))
            if unknown or not rows.fieldnames:
                raise Misconfigured(f"{path}: a column is none of {', '.join(COLUMNS)}.")
            return [_change(path, rows.line_num, row) for row in rows]
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read ({error.strerror}).") from None
    except (UnicodeDecodeError, csv.Error):
        raise Misconfigured(f"{path} is not a CSV file in UTF-8.") from None


def write(entries: Iterable[AgencyEntry]) -> str:
    """The same table with every column, which reads back as no change at all."""
    out = StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for entry in sorted(entries, key=lambda entry: (entry.kind, entry.code or entry.agency_id)):
        writer.writerow({name: _cell(value) for name, value in entry.stored().items()})
    return out.getvalue()


def _change(path: Path, line: int, row: Mapping[str | None, Any]) -> dict[str, Any]:
    if None in row or None in row.values():
        raise Misconfigured(f"{path}: line {line} has more or fewer cells than the first row.")
    cells = {str(name): str(cell).strip() for name, cell in row.items()}
    if not cells.get("agency_id") and not cells.get("code"):
        raise Misconfigured(f"{path}: line {line} has neither agency_id nor code.")
    try:
        change = {name: _value(name, cell) for name, cell in cells.items()}
    except (KeyError, ValueError):
        raise Misconfigured(f"{path}: line {line} has a cell that cannot be read.") from None
    # An empty name for an agency is none: it is found by the other, or gets a new id.
    return {
        name: value
        for name, value in change.items()
        if value is not None or name not in ("agency_id", "code", "profile")
    }


def _value(name: str, cell: str) -> Any:
    if name in _LISTS:
        return [part for each in cell.split(";") if (part := each.strip())]
    if name in ("closed", "sample"):
        return _YES[cell.casefold()]
    if not cell:
        return None
    if name in _NUMBERS:
        return int(cell)
    return json.loads(cell) if name in ("encryption_key", "transport") else cell


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return "; ".join(value)
        case dict():
            return json.dumps(value, sort_keys=True)
        case _:
            return str(value)
