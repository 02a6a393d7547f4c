"""What changed between two releases of a year, and why. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass

from services.intake.statistics.facts import Facts
from services.intake.statistics.tables import Table

COUNTED = ("month", "race", "age_band", "residence", "gender", "ht_type", "venues", "towns")
RECEIVED, CORRECTED, COUNTED_AGAIN = "received", "corrected", "counted_again"
OTHER = "other"


@dataclass(frozen=True, slots=True)
class Change:
    """One child's facts changed in a year that had been released: why, and in which columns."""

    year: int
    cause: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Moved:
    """A cell whose count is another one now."""

    cell: str
    was: int
    now: int


def changes(
    before: Facts | None, after: Facts | None, cause: str, released: Collection[int]
) -> list[Change]:
    """What is recorded of a change: for each released year that it touches, no codes and no key.

    `cause` says why facts come or go; facts that stay and differ are a correction.
    """
    if before is None or after is None:
        found = before or after
        years = {found.year} if found is not None else set()
        return [Change(year, cause) for year in sorted(years & set(released))]
    columns = differing(before, after)
    if not columns:
        return []
    years = {before.year, after.year} & set(released)
    return [Change(year, CORRECTED, columns) for year in sorted(years)]


def differing(before: Facts, after: Facts) -> tuple[str, ...]:
    """Names of the columns in which two rows differ; what no table counts by name is `other`."""
    first, second = asdict(before), asdict(after)
    names = {name for name in first if first[name] != second[name]}
    named = tuple(name for name in COUNTED if name in names)
    return named if len(named) == len(names) else (*named, OTHER)


def moved(before: Sequence[Table], after: Sequence[Table], hidden: Collection[str]) -> list[Moved]:
    """The cells that differ between two releases, but for the hidden ones, in the tables' order."""
    was = _counts(before)
    return [
        Moved(cell, was.get(cell, 0), count)
        for cell, count in _counts(after).items()
        if cell not in hidden and was.get(cell, 0) != count
    ]


def _counts(tables: Sequence[Table]) -> Mapping[str, int]:
    return {cell: count for table in tables for cell, count in table.cells()}
