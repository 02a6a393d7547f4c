"""Inserting many rows, into one table or several, as one statement: each column is an array."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ARRAY, Dialect, Table, TextClause, text
from sqlalchemy.dialects import postgresql

Row = Mapping[str, Any]

_DIALECT: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]


class Bulk:
    """`INSERT` into these tables, in one round trip and one plan, whatever the number of rows.

    Foreign keys between the tables are checked at the end, so their order does not matter.
    """

    def __init__(self, *columns: tuple[Table, Sequence[str]]) -> None:
        """Each table with the columns that its rows give; the others take their defaults."""
        self._columns = columns
        *first, last = [_insert(table, names) for table, names in columns]
        parts = [f"into_{place} AS ({insert})" for place, insert in enumerate(first)]
        self.statement: TextClause = text(f"WITH {', '.join(parts)} {last}" if parts else last)

    def values(self, *rows: Sequence[Row]) -> dict[str, list[Any]]:
        """The statement's parameters, from the rows of each table in the order of the tables."""
        return {
            _parameter(table, name): [_element(table, name, row[name]) for row in given]
            for (table, names), given in zip(self._columns, rows, strict=True)
            for name in names
        }


def _insert(table: Table, names: Sequence[str]) -> str:
    arrays = ", ".join(f"CAST(:{_parameter(table, n)} AS {_scalar(table, n)}[])" for n in names)
    chosen = ", ".join(_chosen(table, n) for n in names)
    columns = ", ".join(f'"{n}"' for n in names)
    return (
        f"INSERT INTO {table.fullname} ({columns}) "
        f"SELECT {chosen} FROM unnest({arrays}) AS r({columns})"
    )


def _parameter(table: Table, name: str) -> str:
    return f"{table.name}_{name}"


def _scalar(table: Table, name: str) -> str:
    """An array of arrays cannot be taken apart row by row: those travel as their text."""
    kind = table.c[name].type
    return "text" if isinstance(kind, ARRAY) else kind.compile(_DIALECT)


def _chosen(table: Table, name: str) -> str:
    kind = table.c[name].type
    return f'CAST("{name}" AS {kind.compile(_DIALECT)})' if isinstance(kind, ARRAY) else f'"{name}"'


def _element(table: Table, name: str, value: Any) -> Any:
    if not isinstance(table.c[name].type, ARRAY):
        return value
    quoted = [each.replace("\\", "\\\\").replace('"', '\\"') for each in value]
    return "{" + ",".join(f'"{each}"' for each in quoted) + "}"
