"""The file of State holidays is what CGS 1-4 says, year for year."""

from collections.abc import Iterator
from datetime import date, timedelta
from importlib.resources import files
from typing import Any

import yaml

FILE: dict[str, Any] = yaml.safe_load(
    (files("services.deadlines") / "holidays" / "connecticut_state.yaml").read_text("utf-8")
)
MONDAY, THURSDAY = 0, 3


def the(nth: int, weekday: int, year: int, month: int) -> date:
    """The nth such day of the month."""
    first = date(year, month, 1)
    return first + timedelta((weekday - first.weekday()) % 7 + 7 * (nth - 1))


def easter(year: int) -> date:
    """Of the Gregorian calendar, as J.-M. Oudin computes it."""
    century, golden = year // 100, year % 19
    correction = (century - (century - 17) // 25) // 3
    moon = (century - century // 4 - correction + 19 * golden + 15) % 30
    moon -= (moon // 28) * (1 - (29 // (moon + 1)) * ((21 - golden) // 11))
    sunday = (year + year // 4 + moon + 2 - century + century // 4) % 7
    days = moon - sunday
    month = 3 + (days + 40) // 44
    return date(year, month, days + 28 - 31 * (month // 4))


def of_the_statute(year: int) -> Iterator[date]:
    yield from (date(year, 1, 1), date(year, 2, 12), date(year, 6, 19), date(year, 7, 4))
    yield from (date(year, 11, 11), date(year, 12, 25))
    fifteenth = date(year, 1, 15)
    yield fifteenth + timedelta((MONDAY - fifteenth.weekday()) % 7)
    yield the(3, MONDAY, year, 2)
    yield the(1, MONDAY, year, 6) - timedelta(7)
    yield the(1, MONDAY, year, 9)
    yield the(2, MONDAY, year, 10)
    yield the(4, THURSDAY, year, 11)
    yield easter(year) - timedelta(2)


def kept(day: date) -> date:
    return day + timedelta({5: -1, 6: 1}.get(day.weekday(), 0))


def test_every_holiday_on_file_follows_from_cgs_1_4_and_none_is_lacking() -> None:
    first, last = FILE["covers_from"], FILE["covers_to"]
    years = range(first.year, last.year + 2)
    expected = {kept(day) for year in years for day in of_the_statute(year)}
    assert set(FILE["holidays"]) == {day for day in expected if first <= day <= last}


def test_the_days_are_those_of_the_states_own_list_of_2024() -> None:
    """As the Department of Administrative Services published it."""
    listed = "01-01 01-15 02-12 02-19 03-29 05-27 06-19 07-04 09-02 10-14 11-11 11-28 12-25"
    expected = {date.fromisoformat(f"2024-{each}") for each in listed.split()}
    assert {kept(day) for day in of_the_statute(2024)} == expected
