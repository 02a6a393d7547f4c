"""Who turns 18 soon, to the day, and what the day of an alarm does not say (C19, C27)."""

from datetime import date, timedelta

import pytest

from services.intake.majority.rules import horizon, is_near, turns_18

TODAY = date(2026, 3, 10)
FOREIGN = {"foreign_national": True}


@pytest.mark.parametrize(
    ("born", "near"),
    [
        ("2008-03-09", False),
        ("2008-03-10", True),
        ("2008-04-30", True),
        ("2008-05-01", False),
        ("2012-03-10", False),
        ("1990-03-10", False),
    ],
)
def test_c27_the_alarm_is_for_whoever_turns_18_by_the_end_of_next_month(
    born: str, near: bool
) -> None:
    assert is_near(FOREIGN | {"date_of_birth": born}, TODAY) is near


def test_c19_who_is_an_adult_already_raises_no_alarm() -> None:
    assert not is_near(FOREIGN | {"date_of_birth": "2007-01-01"}, TODAY)


@pytest.mark.parametrize("nationality", [{}, {"foreign_national": False}])
def test_c27_nobody_else_is_concerned(nationality: dict[str, bool]) -> None:
    assert not is_near(nationality | {"date_of_birth": "2008-03-20"}, TODAY)


def test_c27_without_a_date_of_birth_there_is_no_alarm() -> None:
    assert not is_near(FOREIGN, TODAY)


def test_c27_every_birthday_is_announced_28_to_62_days_ahead_and_on_the_first_of_a_month() -> None:
    day = date(2026, 1, 1)
    for born in (date(2008, 3, 1) + timedelta(days=n) for n in range(800)):
        document = FOREIGN | {"date_of_birth": born.isoformat()}
        first = next(d for n in range(1200) if is_near(document, d := day + timedelta(days=n)))
        assert first.day == 1
        assert 28 <= (turns_18(born) - first).days <= 61


def test_p5_on_any_day_the_alarm_leaves_at_least_28_birthdays_open() -> None:
    for day in (date(2026, 1, 1) + timedelta(days=n) for n in range(1461)):
        assert (horizon(day) - day).days >= 28


def test_c27_who_was_born_on_a_leap_day_is_warned_by_the_earlier_reading() -> None:
    assert turns_18(date(2008, 2, 29)) == date(2026, 2, 28)
