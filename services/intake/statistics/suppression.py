"""Which cells a release withholds. Pure; the reasons are in ADR 0012, the limits in its page.

A reader of releases knows every shown cell of every release, that a whole table adds up to its
parent, and may suppose that nothing else has changed between two releases. So:

1. A cell of 10 or less is withheld, and zero too: one that became 1 would be a difference.
2. A table in which something is withheld withholds two cells at least, and together more than 10,
   so that each of them may be nothing and may be more than 10; the smallest others make it up.
3. Where a parent is withheld, so is what divides it. Where a child may have several answers, a cell
   is withheld too when all but 10 of the parent's children have it.
4. The first release of a year decides which cells are shown, and later ones show the same or
   nothing: a cell shown once and withheld once is the difference of two totals.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.intake.statistics.tables import Table

LARGEST = 10
"""The largest count that is withheld: what Connecticut's own open data prints as "<= 10"."""


@dataclass(frozen=True, slots=True)
class Publish:
    """What may be shown: every cell but these."""

    withheld: frozenset[str]


@dataclass(frozen=True, slots=True)
class HoldBack:
    """Shown beside the earlier releases it would betray these cells: nothing of it is shown."""

    because: frozenset[str]


Verdict = Publish | HoldBack


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a year's published releases have in common: their cells, and those withheld."""

    cells: frozenset[str]
    withheld: frozenset[str]


def judge(tables: Sequence[Table], earlier: Earlier | None) -> Verdict:
    """What of these tables may be published."""
    withheld = withhold(tables) if earlier is None else earlier.withheld
    unsafe = frozenset(hazards(tables, withheld))
    if earlier is not None:
        unsafe |= earlier.cells ^ all_cells(tables)
    return HoldBack(unsafe) if unsafe else Publish(withheld)


def all_cells(tables: Sequence[Table]) -> frozenset[str]:
    return frozenset(cell for table in tables for cell, _ in table.cells())


def withhold(tables: Sequence[Table]) -> frozenset[str]:
    """The cells that a first release withholds. A parent comes before what divides it."""
    counts = _counts(tables)
    withheld: set[str] = set()
    for table in tables:
        withheld |= _of_table(table, counts, withheld)
    return frozenset(withheld)


def hazards(tables: Sequence[Table], withheld: Collection[str]) -> Iterator[str]:
    """The cells that these tables would betray if all but `withheld` were shown."""
    counts = _counts(tables)
    for table in tables:
        cells = dict(table.cells())
        hidden = {cell: count for cell, count in cells.items() if cell in withheld}
        for cell, count in cells.items():
            if cell not in withheld and _telling(table, count, counts, withheld):
                yield cell
        if hidden and _adds_up(table, withheld, hidden, cells) and not _vague(hidden):
            yield from hidden


def _of_table(table: Table, counts: Mapping[str, int], known: Collection[str]) -> set[str]:
    cells = dict(table.cells())
    hidden = {cell: count for cell, count in cells.items() if _telling(table, count, counts, known)}
    while hidden and table.of is not None and not _vague(hidden) and len(hidden) < len(cells):
        smallest = min((count, cell) for cell, count in cells.items() if cell not in hidden)[1]
        hidden[smallest] = cells[smallest]
    return set(hidden)


def _telling(
    table: Table, count: int, counts: Mapping[str, int], withheld: Collection[str]
) -> bool:
    """Whether a shown cell would say too much by itself, or beside its parent."""
    if count <= LARGEST or table.of in withheld:
        return True
    parent = None if table.of is None else counts[table.of]
    return not table.whole and parent is not None and parent - count <= LARGEST


def _adds_up(
    table: Table, withheld: Collection[str], hidden: Collection[str], cells: Collection[str]
) -> bool:
    """Whether the sum of the hidden cells can be known, or supposed, from what is shown."""
    if table.of is None or table.of in withheld:
        return False
    return table.whole or len(hidden) < len(cells)


def _vague(hidden: Mapping[str, int]) -> bool:
    return len(hidden) > 1 and sum(hidden.values()) > LARGEST


def _counts(tables: Sequence[Table]) -> dict[str, int]:
    return {cell: count for table in tables for cell, count in table.cells()}
