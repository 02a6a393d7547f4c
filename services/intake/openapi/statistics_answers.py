"""The JSON of the answers of the statistics."""

from pydantic import AwareDatetime, Field

from services.intake.openapi.answers import Answer
from services.intake.statistics.records import ExportKind, Format, Reason
from shared.contracts.base import OpaqueId


class CountedRow(Answer):
    """A row of a table. `count` is null where it is withheld, and then `withheld` is true."""

    code: str
    row: str
    count: int | None
    withheld: bool = False


class CountedTable(Answer):
    """A table with all its rows, zero or not. `total` is left out where it is withheld."""

    name: str
    title: str
    rows: list[CountedRow]
    total: int | None = None


class StatisticsRelease(Answer):
    """A frozen release. One that is held back has no tables. Examples show the first rows."""

    release: int
    year: int
    made_at: AwareDatetime
    reason: Reason
    held_back: bool
    note: str
    tables: list[CountedTable] = Field(default_factory=list)
    links: dict[str, str]


class ExactTables(Answer):
    """A year's exact tables. Examples show the first rows."""

    year: int
    as_of: AwareDatetime
    exact: bool
    tables: list[CountedTable]


class ShownYear(Answer):
    year: int
    release: int
    referrals: int | None


class ShownYears(Answer):
    """By year; `total` is there only when no year is withheld."""

    years: list[ShownYear]
    note: str
    total: int | None = None


class ExactYear(Answer):
    year: int
    referrals: int


class ExactYears(Answer):
    exact: bool
    years: list[ExactYear]
    total: int


class ChangedCell(Answer):
    cell: str
    was: int | None
    now: int | None


class Compared(Answer):
    """A release beside the one of its year before; null if it is the first."""

    release: int
    year: int
    compared_with: int | None
    reason: Reason
    held_back: bool


class ShownRestatement(Compared):
    """What a release shows differently; nothing where it is held back."""

    causes: list[str]
    changed: list[ChangedCell] = Field(default_factory=list)


class CountedCause(Answer):
    cause: str
    columns: list[str]
    children: int


class ExactRestatement(Compared):
    changed: list[ChangedCell]
    causes: list[CountedCause]


class TownRate(Answer):
    town: str
    count: int
    children: int
    rate: str


class TownRates(Answer):
    """Per 1,000 children; a town whose count is withheld is left out."""

    release: int
    year: int
    population_source: str
    per: int
    towns: list[TownRate]


class ExportStatus(Answer):
    """How an export stands, never a figure."""

    export_id: OpaqueId
    kind: ExportKind
    year: int
    month: int | None
    format: Format
    asked_at: AwareDatetime
    approved_at: AwareDatetime | None


class ExportContent(Answer):
    """Exact figures: `totals` and `rows`, or `tables`, as the kind has them."""

    export: ExportKind
