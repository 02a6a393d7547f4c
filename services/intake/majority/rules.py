"""Whether a child turns 18 soon and HHS has to have been asked by then. Pure."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

_HERE = ZoneInfo("America/New_York")
MAJORITY = 18


def local_day(moment: datetime) -> date:
    return moment.astimezone(_HERE).date()


def horizon(today: date) -> date:
    """The last day of next month: 28 to 62 days ahead. It moves once a month, so the day of an
    alarm says of a birthday only in which two months it lies, and never which day it is."""
    return _month_after(_month_after(today)) - timedelta(days=1)


def month_of(today: date) -> date:
    return today.replace(day=1)


def is_near(document: Mapping[str, Any], today: date) -> bool:
    """Of a child's document. Without a date of birth, or a nationality, there is no alarm."""
    born = document.get("date_of_birth")
    if document.get("foreign_national") is not True or born is None:
        return False
    return today <= turns_18(date.fromisoformat(born)) <= horizon(today)


def turns_18(born: date) -> date:
    """Whoever was born on a leap day, on the day before it: the earlier reading warns in time."""
    try:
        return born.replace(year=born.year + MAJORITY)
    except ValueError:
        return born.replace(year=born.year + MAJORITY, day=28)


def _month_after(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
