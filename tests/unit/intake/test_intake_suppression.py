"""No withheld cell can be found by subtraction, within a release or beside earlier ones.

The attacker here is independent of the rule: it solves linear equations in exact fractions. It
knows every shown cell and that whole tables add up to their parent, and supposes what helps it
most: that a cell which one release shows and another withholds has not changed between the two,
and that the rows of a table with several answers were single answers.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.intake.statistics.suppression import (
    LARGEST,
    Earlier,
    HoldBack,
    Publish,
    all_cells,
    hazards,
    judge,
    withhold,
)
from services.intake.statistics.tables import TOTAL, Row, Table, build
from tests.support.statistics import AGES, RACES, RESIDENCES

Published = tuple[Sequence[Table], frozenset[str]]
Equation = tuple[dict[str, int], int]


def tables_of_2017() -> tuple[Table, ...]:
    counts = {
        "total": {"referrals": 212},
        "race_ethnicity": RACES,
        "age_at_victimization": AGES,
        "residence_at_exploitation": RESIDENCES,
        "gender": {"female": 197, "male": 15},
        "ht_type": {"sex": 190, "labor": 12, "other": 10},
        "reports": {"reports": 205, "further": 7},
        "children": {"first": 180, "repeat": 20, "further": 12},
        "settings": {"shared": 12, "other": 7},
        "setting_count": {"several": 4},
        "venue": {"internet_based": 90, "hotel_motel_based": 80, "unknown": 42},
        "town": {"Hartford": 100, "New Haven": 60, "Ansonia": 3, "unknown": 49},
    }
    return build(counts, ["Ansonia", "Hartford", "New Haven"])


def counts(tables: Sequence[Table]) -> dict[str, int]:
    return {cell: count for table in tables for cell, count in table.cells()}


def shown(release: Published) -> dict[str, int]:
    tables, withheld = release
    return {cell: count for cell, count in counts(tables).items() if cell not in withheld}


def equations(release: Published, known: Mapping[str, int]) -> list[Equation]:
    """What a reader knows of a release's withheld cells: sums over them, with their value."""
    tables, withheld = release
    found: list[Equation] = []
    for table in tables:
        if table.of is None:
            continue
        sums = {cell: 1 for cell, _ in table.cells()}
        if table.whole:
            sums[table.of] = -1
        elif table.total != counts(tables)[table.of]:
            continue  # its rows are no single answers, and whoever supposes so is wrong
        else:
            sums[table.of] = -1
        unknown = {
            cell: each for cell, each in sums.items() if cell in withheld and cell not in known
        }
        value = -sum(each * known[cell] for cell, each in sums.items() if cell not in unknown)
        if unknown:
            found.append((unknown, value))
    return found


def determined(found: Iterable[Equation]) -> dict[str, Fraction]:
    """The unknowns that the equations fix, by Gaussian elimination."""
    rows = [({c: Fraction(n) for c, n in unknown.items()}, Fraction(v)) for unknown, v in found]
    solved: list[tuple[str, dict[str, Fraction], Fraction]] = []
    for row, value in rows:
        for pivot, other, known in solved:
            if pivot in row:
                row, value = _less(row, value, other, known, row[pivot])
        if not row:
            continue
        pivot = next(iter(row))
        scale = row[pivot]
        row, value = {c: n / scale for c, n in row.items()}, value / scale
        solved = [
            (p, *_less(r, v, row, value, r[pivot])) if pivot in r else (p, r, v)
            for p, r, v in solved
        ]
        solved.append((pivot, row, value))
    return {pivot: value for pivot, row, value in solved if set(row) == {pivot}}


def _less(
    row: Mapping[str, Fraction],
    value: Fraction,
    other: Mapping[str, Fraction],
    known: Fraction,
    times: Fraction,
) -> tuple[dict[str, Fraction], Fraction]:
    cells = {*row, *other}
    left = {c: row.get(c, Fraction(0)) - times * other.get(c, Fraction(0)) for c in cells}
    return {c: n for c, n in left.items() if n}, value - times * known


def betrayed(releases: Sequence[Published]) -> set[str]:
    """Withheld cells that a reader of all releases can compute under one of its suppositions."""
    found: set[str] = set()
    for release in releases:
        for other in releases:
            known = shown(other) | shown(release)
            truth = counts(release[0])
            first = equations(release, known)
            found |= {c for c, v in determined(first).items() if v == truth[c]}
            # Supposing that nothing withheld in both has changed, the two are one system.
            both = first + equations(other, shown(release) | shown(other))
            found |= {c for c, v in determined(both).items() if v == truth.get(c)}
            carried = {c for c in release[1] if c in shown(other)}
            found |= {c for c in carried if shown(other)[c] == truth.get(c)}
    return found


def vaguely_known(release: Published) -> bool:
    """Whether every withheld part of a whole may still be nothing, and more than 10."""
    return all(
        len(unknown) > 1 and sum(counts(release[0])[c] for c in unknown) > LARGEST
        for unknown, _ in equations(release, shown(release))
        if all(each == 1 for each in unknown.values())
    )


def test_the_attacker_breaks_a_table_in_which_only_the_small_cell_is_withheld() -> None:
    tables = tables_of_2017()
    naive = frozenset(cell for cell, count in counts(tables).items() if count <= LARGEST)
    assert "reports.further" in betrayed([(tables, naive)])


def test_the_attacker_breaks_a_later_release_that_shows_what_an_earlier_one_withheld() -> None:
    tables = tables_of_2017()
    first = withhold(tables)
    assert "residence_at_exploitation.congregate_care" in first
    fewer = first - {"residence_at_exploitation.congregate_care"}
    assert betrayed([(tables, first), (tables, fewer)])


def test_2017_withholds_the_small_cells_and_their_complements() -> None:
    withheld = withhold(tables_of_2017())
    race = {cell.partition(".")[2] for cell in withheld if cell.startswith("race_ethnicity.")}
    assert race == {"unknown", "asian", "other"}
    age = {cell.partition(".")[2] for cell in withheld if cell.startswith("age_at_")}
    assert age == {"10_and_under", "11_to_12", "over_18"}
    residence = {cell.partition(".")[2] for cell in withheld if cell.startswith("residence_at_")}
    assert residence == {
        "relative_other_home",
        "detention",
        "shelter",
        "missing_unknown",
        "congregate_care",
    }
    assert {"reports.reports", "reports.further"} <= withheld
    assert {"settings.shared", "settings.other"} <= withheld
    assert {"gender.female", "ht_type.sex", "town.Hartford", TOTAL}.isdisjoint(withheld)


def test_a_first_release_can_always_be_published() -> None:
    assert isinstance(judge(tables_of_2017(), None), Publish)


def changed(tables: Sequence[Table], **to: int) -> tuple[Table, ...]:
    """The tables with some cells of race_ethnicity changed, and the total with them."""
    rows = next(table for table in tables if table.name == "race_ethnicity").rows
    more = sum(count - next(r.count for r in rows if r.code == code) for code, count in to.items())
    made = []
    for table in tables:
        if table.name == "race_ethnicity":
            new = tuple(replace(row, count=to.get(row.code, row.count)) for row in table.rows)
            made.append(replace(table, rows=new))
        elif table.name == "total":
            made.append(replace(table, rows=(replace(table.rows[0], count=212 + more),)))
        elif table.of == TOTAL and table.whole:
            first = max(table.rows, key=lambda row: row.count)
            new = tuple(
                replace(row, count=row.count + more) if row is first else row for row in table.rows
            )
            made.append(replace(table, rows=new))
        else:
            made.append(table)
    return tuple(made)


def earlier(tables: Sequence[Table]) -> Earlier:
    return Earlier(all_cells(tables), withhold(tables))


def test_a_later_release_shows_the_same_cells_even_when_a_withheld_one_has_grown() -> None:
    before = tables_of_2017()
    after = changed(before, unknown=60)
    verdict = judge(after, earlier(before))
    assert verdict == Publish(withhold(before))


def test_a_later_release_is_held_back_when_a_shown_cell_has_become_small() -> None:
    before = tables_of_2017()
    verdict = judge(changed(before, multi_racial=9), earlier(before))
    assert isinstance(verdict, HoldBack)
    assert "race_ethnicity.multi_racial" in verdict.because


def test_a_later_release_is_held_back_when_what_is_withheld_has_become_too_little() -> None:
    before = tables_of_2017()
    verdict = judge(changed(before, unknown=1), earlier(before))
    assert isinstance(verdict, HoldBack)


def test_a_later_release_with_other_rows_is_held_back() -> None:
    before = tables_of_2017()
    after = (*before[:-1], replace(before[-1], rows=(*before[-1].rows, Row("x", "X", 50))))
    assert isinstance(judge(after, earlier(before)), HoldBack)


@pytest.mark.parametrize("total", [0, 1, 10])
def test_a_year_of_ten_or_fewer_shows_nothing(total: int) -> None:
    tables = build(
        {
            "total": {"referrals": total},
            "race_ethnicity": {"hispanic": total},
            "age_at_victimization": {"unknown": total},
            "residence_at_exploitation": {"shelter": total},
        },
        ["Hartford"],
    )
    assert withhold(tables) == all_cells(tables)


COUNT = st.one_of(st.integers(0, 15), st.integers(0, 400))


@st.composite
def whole(draw: st.DrawFn, total: int, rows: int) -> list[int]:
    """`rows` counts that add up to `total`."""
    cuts = sorted(draw(st.lists(st.integers(0, total), min_size=rows - 1, max_size=rows - 1)))
    return [end - start for start, end in zip([0, *cuts], [*cuts, total], strict=True)]


@st.composite
def a_period(draw: st.DrawFn) -> tuple[Table, ...]:
    total = draw(COUNT)
    parts = {
        name: draw(whole(total, rows)) for name, rows in (("a", 7), ("b", 8), ("c", 2), ("d", 3))
    }
    inner = draw(whole(parts["b"][3], 2))
    several = draw(st.lists(st.integers(0, total), min_size=4, max_size=4))

    def table(name: str, found: Sequence[int], of: str | None, *, single: bool = True) -> Table:
        rows = tuple(Row(str(n), str(n), count) for n, count in enumerate(found))
        return Table(name, name, rows, of, single)

    return (
        Table("total", "", (Row("referrals", "", total),), None),
        *(table(name, found, TOTAL) for name, found in parts.items()),
        table("inner", inner, "b.3"),
        table("alone", [draw(COUNT)], None),
        table("several", several, TOTAL, single=False),
    )


@settings(max_examples=300, deadline=None)
@given(a_period())
def test_no_withheld_cell_of_a_release_is_found_by_subtraction(tables: tuple[Table, ...]) -> None:
    verdict = judge(tables, None)
    assert isinstance(verdict, Publish)
    release = (tables, verdict.withheld)
    assert not {c for c, n in counts(tables).items() if n <= LARGEST} - verdict.withheld
    assert betrayed([release]) == set()
    assert vaguely_known(release)


@settings(max_examples=300, deadline=None)
@given(a_period(), st.lists(a_period(), min_size=1, max_size=3))
def test_no_withheld_cell_is_found_beside_earlier_releases(
    first: tuple[Table, ...], later: list[tuple[Table, ...]]
) -> None:
    """Whatever the later ones hold, those that are published betray nothing together."""
    releases = [(first, withhold(first))]
    for tables in later:
        verdict = judge(tables, Earlier(all_cells(first), releases[0][1]))
        if isinstance(verdict, Publish):
            releases.append((tables, verdict.withheld))
    assume(len(releases) > 1)
    assert betrayed(releases) == set()
    assert all(map(vaguely_known, releases))


@settings(max_examples=200, deadline=None)
@given(a_period(), st.data())
def test_no_withheld_cell_is_found_after_a_few_corrections(
    first: tuple[Table, ...], data: st.DataObject
) -> None:
    """One table's rows are moved by little, as corrections do; the rest stays as it was."""
    name = data.draw(st.sampled_from(["a", "b", "c", "d"]))
    releases = [(first, withhold(first))]
    tables = first
    for _ in range(3):
        tables = _moved(tables, name, data)
        verdict = judge(tables, Earlier(all_cells(first), releases[0][1]))
        if isinstance(verdict, Publish):
            releases.append((tables, verdict.withheld))
    assert betrayed(releases) == set()


def _moved(tables: tuple[Table, ...], name: str, data: st.DataObject) -> tuple[Table, ...]:
    table = next(each for each in tables if each.name == name)
    rows = list(table.rows)
    source, target = (data.draw(st.integers(0, len(rows) - 1)) for _ in range(2))
    if name == "b" and 3 in (source, target):
        return tables
    moving = data.draw(st.integers(0, min(rows[source].count, 3)))
    rows[source] = replace(rows[source], count=rows[source].count - moving)
    rows[target] = replace(rows[target], count=rows[target].count + moving)
    return tuple(replace(each, rows=tuple(rows)) if each is table else each for each in tables)


def test_hazards_names_what_a_shown_cell_would_betray() -> None:
    tables = tables_of_2017()
    assert set(hazards(tables, frozenset())) == {
        cell for cell, count in counts(tables).items() if count <= LARGEST
    }
