"""Inserting many rows, into one table or several, as one statement: each column is an array."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ARRAY, Dialect, Table, TextClause, text
from sqlalchemy.dialects import postgresql

Row = Mapping[str, Any]

_DIALECT: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Into:
    """A table, and the columns that its rows give; the others take their defaults."""

    table: Table
    names: Sequence[str]
    once: bool = False
    """What is there already stays as it is."""


class Bulk:
    """`INSERT` into these tables, in one round trip and one plan, whatever the number of rows.

    Foreign keys between the tables are checked at the end, so their order does not matter.
    """

    def __init__(self, *tables: Into, beside: str = "") -> None:
        """`beside`: CTEs by which the statement does more than that. Their values are the
        caller's."""
        self._columns = [
            [(_parameter(each.table, n), n, _is_array(each.table, n)) for n in each.names]
            for each in tables
        ]
        *first, last = map(_insert, tables)
        parts = [f"into_{place} AS ({insert})" for place, insert in enumerate(first)]
        parts += [beside] if beside else []
        self.statement: TextClause = text(f"WITH {', '.join(parts)} {last}" if parts else last)

    def values(self, *rows: Sequence[Row]) -> dict[str, object]:
        """The statement's parameters, from the rows of each table in the order of the tables."""
        return {
            parameter: [_as_text(row[name]) for row in given]
            if array
            else [row[name] for row in given]
            for columns, given in zip(self._columns, rows, strict=True)
            for parameter, name, array in columns
        }


def _insert(into: Into) -> str:
    table, names = into.table, into.names
    arrays = ", ".join(f"CAST(:{_parameter(table, n)} AS {_scalar(table, n)}[])" for n in names)
    chosen = ", ".join(_chosen(table, n) for n in names)
    columns = ", ".join(f'"{n}"' for n in names)
    return (
        f"INSERT INTO {table.fullname} ({columns}) "
        f"SELECT {chosen} FROM unnest({arrays}) AS r({columns})"
        f"{' ON CONFLICT DO NOTHING' * into.once}"
    )


def _parameter(table: Table, name: str) -> str:
    return f"{table.name}_{name}"


def _scalar(table: Table, name: str) -> str:
    """An array of arrays cannot be taken apart row by row: those travel as their text."""
    return "text" if _is_array(table, name) else table.c[name].type.compile(_DIALECT)


def _chosen(table: Table, name: str) -> str:
    if not _is_array(table, name):
        return f'"{name}"'
    return f'CAST("{name}" AS {table.c[name].type.compile(_DIALECT)})'


def _is_array(table: Table, name: str) -> bool:
    return isinstance(table.c[name].type, ARRAY)


def _as_text(value: Sequence[str]) -> str:
    quoted = [each.replace("\\", "\\\\").replace('"', '\\"') for each in value]
    return "{" + ",".join(f'"{each}"' for each in quoted) + "}"
