"""What a row of coded facts adds to each count. Pure.

A count is known by (span, period, name, code). SUM counts are of one month and add up over months;
MONTH and YEAR counts do not add up (a child counts once a period, however often referred), so each
is kept for its own period.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from services.intake.statistics.records import Tallied

Key = tuple[str, int, str, str]
Visit = tuple[bytes, int, bytes, int]
"""Of a setting: which, in which month, which person, how many rows."""

SUM, MONTH, YEAR = "sum", "month", "year"
CONGREGATE = "congregate_care"
_SEX = {"sex", "sex_and_labor"}


def of_rows(rows: Sequence[Tallied]) -> Counter[Key]:
    """The counts that add up over months. `rows` are all the rows of each of their referrals."""
    counted: Counter[Key] = Counter()
    for row in rows:
        counted.update((SUM, row.facts.month, name, code) for name, code in _cells(row))
    months = {(row.referral, row.facts.month) for row in rows}
    counted.update((SUM, month, "reports", "reports") for _, month in months)
    counted.update((SUM, row.facts.month, "reports", "further") for row in rows)
    counted.subtract((SUM, month, "reports", "further") for _, month in months)
    return counted


def of_persons(found: Iterable[tuple[bytes, int, int]]) -> Counter[Key]:
    """From all rows of some persons, as (person, month, rows): first, repeat and further."""
    months: dict[bytes, Counter[int]] = defaultdict(Counter)
    for person, month, rows in found:
        months[person][month] += rows
    counted: Counter[Key] = Counter()
    for each in months.values():
        for span, length in ((MONTH, 1), (YEAR, 12)):
            _of_person(counted, span, each, length)
    return counted


def _of_person(counted: Counter[Key], span: str, months: Counter[int], length: int) -> None:
    periods: Counter[int] = Counter()
    for month, rows in months.items():
        periods[month // length] += rows
    for period, rows in periods.items():
        again = rows > 1 or min(periods) < period
        counted[span, period, "children", "repeat" if again else "first"] += 1
        counted[span, period, "children", "further"] += rows - 1


def of_settings(found: Iterable[Visit]) -> Counter[Key]:
    """From all rows of some settings: those with several victims, and how many rows are in them."""
    counted: Counter[Key] = Counter()
    for span, length in ((MONTH, 1), (YEAR, 12)):
        persons: dict[tuple[bytes, int], Counter[bytes]] = defaultdict(Counter)
        for setting, month, person, rows in found:
            persons[setting, month // length][person] += rows
        for (_, period), each in persons.items():
            if len(each) > 1:
                counted[span, period, "settings", "shared"] += each.total()
                counted[span, period, "setting_count", "several"] += 1
    return counted


def _cells(row: Tallied) -> Iterable[tuple[str, str]]:
    facts = row.facts
    yield "total", "referrals"
    yield "race_ethnicity", facts.race
    yield "age_at_victimization", facts.age_band
    yield "residence_at_exploitation", facts.residence
    yield "gender", facts.gender
    yield "ht_type", facts.ht_type
    yield from (("venue", code) for code in facts.venues)
    yield from (("town", code) for code in facts.towns)
    if facts.ht_type in _SEX:
        crossed = f"{facts.age_band}/{facts.race}/{facts.gender}"
        yield "victims", crossed
        if facts.identified:
            yield "confirmed", crossed
