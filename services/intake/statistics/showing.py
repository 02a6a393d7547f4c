"""What is shown of tables: the one place where a count becomes what a reader sees. Pure.

JSON, CSV and picture are made of the same `Shown`, so that none shows more than another.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from services.intake.statistics.records import Release
from services.intake.statistics.reports import as_csv
from services.intake.statistics.tables import Table

WITHHELD = "withheld"
NOTE = (
    "A figure is withheld where it is 10 or less, zero included, or where another one that is "
    "could be worked out from it."
)
PER = 1000


@dataclass(frozen=True, slots=True)
class ShownRow:
    code: str
    label: str
    count: int | None
    """None: withheld."""


@dataclass(frozen=True, slots=True)
class ShownTable:
    name: str
    title: str
    rows: tuple[ShownRow, ...]
    total: int | None
    """Of a table whose rows add up; None if withheld, or if a child may have several answers."""


def show(tables: Sequence[Table], withheld: Collection[str] = ()) -> list[ShownTable]:
    """Every row of every table, zero or not, with its count unless it is withheld."""
    shown = []
    for table in tables:
        rows = tuple(
            ShownRow(
                row.code,
                row.label,
                None if f"{table.name}.{row.code}" in withheld else row.count,
            )
            for row in table.rows
        )
        adds_up = table.whole and table.of is not None and table.of not in withheld
        shown.append(ShownTable(table.name, table.title, rows, table.total if adds_up else None))
    return shown


def as_json(tables: Sequence[ShownTable]) -> list[dict[str, Any]]:
    return [
        {
            "name": table.name,
            "title": table.title,
            "rows": [
                {"code": row.code, "row": row.label, "count": row.count}
                | ({WITHHELD: True} if row.count is None else {})
                for row in table.rows
            ],
        }
        | ({} if table.total is None else {"total": table.total})
        for table in tables
    ]


def release_csv(release: Release, withheld: Collection[str]) -> str:
    """One line a cell; a withheld one has no count."""
    head = ("release", "year", "table", "row", "count", "note")
    return as_csv(
        head,
        [
            (
                release.number,
                release.year,
                table.title,
                row.label,
                "" if row.count is None else row.count,
                WITHHELD if row.count is None else "",
            )
            for table in show(release.tables, withheld)
            for row in table.rows
        ],
    )


def rates(
    tables: Sequence[ShownTable], population: Mapping[str, int]
) -> list[tuple[str, int, int, str]]:
    """Towns with a shown count and a given child population: count, population, rate per 1,000."""
    (towns,) = (table for table in tables if table.name == "town")
    return [
        (row.label, row.count, population[row.code], _rate(row.count, population[row.code]))
        for row in towns.rows
        if row.count is not None and row.code in population
    ]


def _rate(count: int, population: int) -> str:
    rate = Decimal(count) * PER / Decimal(population)
    return str(rate.quantize(Decimal("0.1"), ROUND_HALF_UP))
