"""When nobody is on call in the week to come, to the minute."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.notify.oncall.holes import AHEAD, Hole, holes, warnings
from services.notify.oncall.roster import Override, Roster
from services.notify.oncall.roster_file import RosterFile, changes
from tests.support.rosters import roster

NOON = datetime(2026, 3, 3, 17, 0, tzinfo=UTC)
"""A Tuesday, noon in Connecticut; summer time begins on the Sunday after."""
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def file(*shifts: dict[str, object], **more: object) -> RosterFile:
    desk = roster({})["roles"]["desk"]
    return RosterFile.model_validate(roster({}, roles={"duty": list(shifts), "desk": desk}, **more))


def made(*shifts: dict[str, object], overrides: tuple[Override, ...] = ()) -> Roster:
    return file(*shifts).roster(overrides)


def shift(begins: str, ends: str, *days: str) -> dict[str, object]:
    return {"people": ["ann"], "begins": begins, "ends": ends, "days": list(days or DAYS)}


def test_a_week_without_a_hole_has_none() -> None:
    assert holes(made(shift("00:00", "00:00")), NOON) == []
    assert holes(made(shift("07:00", "19:00"), shift("19:00", "07:00")), NOON) == []


def test_a_hole_of_a_minute_is_found_every_day() -> None:
    found = holes(made(shift("06:31", "06:30")), NOON)
    assert len(found) == 7
    begins = NOON + timedelta(hours=18, minutes=30)
    assert found[0] == Hole("duty", begins, begins + timedelta(minutes=1))


def test_a_hole_that_is_there_now_and_one_beyond_the_week() -> None:
    (only,) = holes(made(shift("00:00", "00:00", "tue")), NOON + timedelta(days=1))[:1]
    assert only.begins == NOON + timedelta(days=1)
    assert only.says(NOON + timedelta(days=1)).startswith("duty: NOBODY now, until Tue 2026-03-10")
    never = made(shift("00:00", "00:01", "mon"))
    assert holes(never, NOON)[-1].ends is None


def test_an_override_that_ends_into_a_hole_shows_it() -> None:
    until = NOON + timedelta(hours=14)
    override = Override("duty", "bob", None, NOON, until)
    found = holes(made(shift("00:00", "00:00", "mon", "sun"), overrides=(override,)), NOON)
    assert found[0] == Hole("duty", until, datetime(2026, 3, 8, 5, 0, tzinfo=UTC))


def test_a_role_whose_tasks_wait_has_no_hole_until_it_has_no_hours_at_all() -> None:
    always = roster({})["roles"]["duty"]
    never = {"people": ["cat"], "days": ["sat"], "holidays": "only"}
    body = roster({}, roles={"duty": always, "desk": [never]})
    (found,) = holes(RosterFile.model_validate(body).roster(), NOON)
    assert found == Hole("desk", NOON, None)
    urgent = roster({}, tasks={"directory_changed": {"role": "desk"}})
    assert holes(RosterFile.model_validate(urgent).roster(), NOON)[0].role == "desk"


HOURS = st.integers(0, 23)


@given(st.lists(st.tuples(HOURS, HOURS, st.sampled_from(DAYS)), min_size=1, max_size=4))
def test_p9_every_moment_without_anybody_lies_in_a_hole_and_no_other(
    written: list[tuple[int, int, str]],
) -> None:
    some = made(*(shift(f"{a:02}:30", f"{b:02}:15", day) for a, b, day in written))
    found = holes(some, NOON)
    for minutes in range(0, int(AHEAD.total_seconds() // 60), 45):
        at = NOON + timedelta(minutes=minutes)
        inside = any(each.begins <= at and (each.ends is None or at < each.ends) for each in found)
        assert inside == (not some.on_call("duty", at))


def test_warnings_name_the_first_of_each_role_and_count_the_rest() -> None:
    lines = warnings(made(shift("06:31", "06:30")), NOON)
    assert len(lines) == 4
    assert lines[-1] == "! duty: and 4 more times within the week"


def test_what_changes_between_two_rosters_is_said_alone() -> None:
    before, after = file(shift("00:00", "00:00")), file(shift("00:00", "00:00", "sun", "mon"))
    assert changes(before, after) == [
        "- duty: every day all day (holidays too): ann",
        "+ duty: mon, sun all day (holidays too): ann",
    ]
    assert changes(before, before) == ["Nothing changes."]
    other = file(shift("00:00", "00:00"), otherwise={"role": "desk"})
    assert "+ Every other task goes to desk" in changes(before, other)
    assert changes(None, after) == ["There is no roster yet: all of it is new."]
