"""Days that count are declared, with their holidays (C31); impossible ones are refused."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.deadlines.calendars import last_of_month, local_day
from services.deadlines.policy_files import HOLIDAYS, SHIPPED, load, load_calendars
from shared.runtime.errors import Misconfigured

STATE = load_calendars()["connecticut_state"]
EVERY_DAY = load_calendars()["every_day"]
ENTRY5D = (SHIPPED / "entry5d.yaml").read_text()
STATE_FILE = (HOLIDAYS / "connecticut_state.yaml").read_text()


def counted(first: date, end: date) -> int:
    """The days that count from the day after `first` to `end`."""
    days = range(first.toordinal() + 1, end.toordinal() + 1)
    return sum(STATE.counts(date.fromordinal(day)) for day in days)


@given(st.dates(date(2025, 1, 1), date(2028, 11, 1)), st.integers(1, 30))
def test_a_period_ends_with_the_last_of_its_days_and_with_no_earlier_one(
    first: date, days: int
) -> None:
    end = STATE.end_after(first, days)
    last = date.fromordinal(local_day(end).toordinal() - 1)
    assert counted(first, last) == days
    assert STATE.counts(last)


def test_a_day_of_connecticut_is_meant_not_one_of_greenwich() -> None:
    late = datetime(2026, 6, 2, 3, 30, tzinfo=UTC)
    assert local_day(late) == date(2026, 6, 1)
    assert EVERY_DAY.end_after(local_day(late), 1) == datetime(2026, 6, 3, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("first", "end"),
    [
        (date(2026, 3, 7), datetime(2026, 3, 9, 4, 0, tzinfo=UTC)),
        (date(2026, 10, 31), datetime(2026, 11, 2, 5, 0, tzinfo=UTC)),
    ],
)
def test_the_day_on_which_the_clocks_change_is_one_day(first: date, end: datetime) -> None:
    assert EVERY_DAY.end_after(first, 1) == end


@pytest.mark.parametrize(
    ("day", "last"),
    [(date(2028, 2, 3), date(2028, 2, 29)), (date(2026, 12, 31), date(2026, 12, 31))],
)
def test_a_month_ends_with_its_last_day(day: date, last: date) -> None:
    assert last_of_month(day) == last


def test_beyond_what_it_covers_a_clock_runs_out_earlier_never_later() -> None:
    assert STATE.counts(date(2030, 7, 4))


@pytest.mark.parametrize(
    ("right", "wrong", "mend"),
    [
        ("covers_to: 2028-12-31", "covers_to: 2024-12-31", "`covers_to` lies before `covers_from`"),
        ("covers_to: 2028-12-31", "covers_to: 2026-12-31", "the holiday 2027-01-01 lies outside"),
        ("covers_from: 2025-01-01\n", "", "`holidays` need `covers_from` and `covers_to`"),
        ("[monday, tuesday", "[someday, tuesday", "a list of the days that count"),
        ("[monday, tuesday", "[tuesday, tuesday", "a weekday is listed twice: keep one"),
        ("weekdays: [monday, tuesday, wednesday, thursday, friday]", "weekdays: []", "a list of"),
        ("2026-01-01: New", "2026-02-30: New", "days that do not count"),
    ],
)
def test_an_impossible_calendar_is_refused_with_file_line_and_mend(
    tmp_path: Path, right: str, wrong: str, mend: str
) -> None:
    assert right in STATE_FILE
    (tmp_path / "mine.yaml").write_text(STATE_FILE.replace(right, wrong, 1))
    with pytest.raises(Misconfigured) as refused:
        load_calendars(tmp_path)
    assert f"{tmp_path / 'mine.yaml'}:" in str(refused.value)
    assert mend in str(refused.value)


@pytest.mark.parametrize(
    ("right", "wrong", "mend"),
    [
        ("calendar: every_day", "calendar: lunar", "there is no such calendar: known are "),
        ("  calendar: every_day\n", "", "need a `calendar`"),
        ("days: 5", "days: 5\n  hours: 2", "give one of `hours`, `days`"),
        ("[consult.entered]", "[notice.delivered]", "notice.delivered cannot meet"),
        ("basis: consult.completed", "basis: referral.received", "goes with `when: consult_step"),
        ("basis: consult.completed", "basis: consult.closed", "what starts it: referral.received"),
        ("[1440]", "[0]", "a list of minutes before the due time"),
        ("who: [hart_liaison]", "who: [anybody]", "a list of desks: careline"),
    ],
)
def test_a_policy_with_an_impossible_period_or_an_unknown_fact_is_refused(
    tmp_path: Path, right: str, wrong: str, mend: str
) -> None:
    assert right in ENTRY5D
    (tmp_path / "entry5d.yaml").write_text(ENTRY5D.replace(right, wrong, 1))
    with pytest.raises(Misconfigured) as refused:
        load(tmp_path)
    assert f"{tmp_path / 'entry5d.yaml'}:" in str(refused.value)
    assert mend in str(refused.value), str(refused.value)


def test_a_warning_before_the_beginning_is_refused(tmp_path: Path) -> None:
    ico = (SHIPPED / "ico1.yaml").read_text().replace("[30]", "[90]")
    (tmp_path / "ico1.yaml").write_text(ico)
    with pytest.raises(Misconfigured, match="a warning lies before the clock's beginning"):
        load(tmp_path)


def test_a_policy_carries_its_calendar_so_a_changed_holiday_is_a_changed_policy() -> None:
    (policy,) = [each for each in load() if each.policy == "monthly_data"]
    assert policy.length.calendar == STATE
    assert policy == type(policy).model_validate(policy.model_dump(mode="json"))
