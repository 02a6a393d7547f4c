"""Who is on call, by hours, holidays and overrides; and whom to page next."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from services.notify.oncall.escalation import (
    EVERY,
    OPERATIONS,
    Page,
    PageNow,
    PageOutcome,
    WaitUntil,
    next_step,
)
from services.notify.oncall.roster import Duty, Override, Roster
from services.notify.oncall.roster_file import NOBODY, RosterFile, describe, read
from shared.runtime.errors import Misconfigured
from tests.support.rosters import roster

NOON = datetime(2026, 3, 3, 17, 0, tzinfo=UTC)
"""A Tuesday, noon in Connecticut."""
TAKEN, FAILED, LOST = PageOutcome.TAKEN, PageOutcome.FAILED, PageOutcome.LOST


def made(*overrides: Override, **changes: object) -> Roster:
    return RosterFile.model_validate(roster({}, **changes)).roster(overrides)


def at(hour: int, day: int = 3, month: int = 3) -> datetime:
    """In Connecticut, in winter."""
    return datetime(2026, month, day, tzinfo=UTC) + timedelta(hours=hour + 5)


@pytest.mark.parametrize(
    ("moment", "people"),
    [
        (at(8), ("cat",)),
        (at(17), ("cat",)),
        (at(18), ()),
        (at(7), ()),
        (at(12, day=7), ()),
        (at(12, day=25, month=12), ()),
    ],
)
def test_a_shift_has_its_hours_days_and_holidays(moment: datetime, people: tuple[str, ...]) -> None:
    assert made().on_call("desk", moment) == people


def test_a_night_shift_ends_on_the_morning_after() -> None:
    night = {"days": ["fri"], "begins": "22:00", "ends": "06:00", "people": ["ann"]}
    night_roster = made(roles={"duty": [night], "desk": [night]})
    assert night_roster.on_call("duty", at(23, day=6)) == ("ann",)
    assert night_roster.on_call("duty", at(5, day=7)) == ("ann",)
    assert night_roster.on_call("duty", at(6, day=7)) == ()
    assert night_roster.on_call("duty", at(5, day=6)) == ()


def test_hours_are_connecticuts_on_both_sides_of_summer_time() -> None:
    assert made().on_call("desk", datetime(2026, 3, 6, 12, 30, tzinfo=UTC)) == ()
    assert made().on_call("desk", datetime(2026, 3, 9, 12, 30, tzinfo=UTC)) == ("cat",)


def test_an_override_takes_a_place_or_stands_behind_and_ends() -> None:
    until = NOON + timedelta(hours=1)
    instead = Override("duty", "cat", "ann", NOON, until)
    behind = Override("duty", "chief", None, NOON, until)
    assert made(instead, behind).on_call("duty", NOON) == ("cat", "bob", "chief")
    assert made(instead, behind).on_call("duty", until) == ("ann", "bob")


def stands_in(person: str, instead_of: str | None) -> Override:
    return Override("duty", person, instead_of, NOON, NOON + timedelta(hours=1))


@pytest.mark.parametrize(
    ("overrides", "people"),
    [
        ([("cat", "ann"), ("chief", "cat")], ("chief", "bob")),
        ([("chief", "cat"), ("cat", "ann")], ("chief", "bob")),
        ([("bob", "ann"), ("cat", "bob")], ("cat",)),
        ([("bob", "ann"), ("ann", "bob")], ("bob", "ann")),
        ([("cat", "ann"), ("chief", "cat"), ("ann", "chief")], ("chief", "bob")),
        ([("cat", None), ("chief", "cat")], ("ann", "bob", "chief")),
    ],
    ids=["a chain", "in any order", "both places", "a swap", "a ring", "behind"],
)
def test_who_stands_in_for_a_stand_in_is_paged(
    overrides: list[tuple[str, str | None]], people: tuple[str, ...]
) -> None:
    assert made(*(stands_in(*each) for each in overrides)).on_call("duty", NOON) == people


@pytest.mark.parametrize(
    ("overrides", "people"),
    [
        ([("gone", "ann")], ("ann", "bob")),
        ([("cat", "ann"), ("gone", "cat")], ("cat", "bob")),
        ([("gone", "ann"), ("cat", "gone")], ("cat", "bob")),
    ],
    ids=["nobody else", "who was asked before", "who stands in for them"],
)
def test_a_stand_in_whom_a_later_roster_dropped_leaves_no_place_empty(
    overrides: list[tuple[str, str | None]], people: tuple[str, ...]
) -> None:
    assert made(*(stands_in(*each) for each in overrides)).on_call("duty", NOON) == people


@given(st.lists(st.tuples(st.sampled_from(["ann", "bob", "cat", "gone"]),
                          st.sampled_from(["ann", "bob", "cat", "gone"])), max_size=6))  # fmt: skip
def test_however_people_stand_in_for_one_another_somebody_is_paged(
    overrides: list[tuple[str, str]],
) -> None:
    found = made(*(stands_in(*each) for each in overrides)).on_call("duty", NOON)
    assert found
    assert "gone" not in found


def test_a_desks_task_goes_to_the_desk_its_role_or_the_kinds_role() -> None:
    shifts = roster({})["roles"] | {"hart_director": [{"people": ["chief"]}]}
    named = made(
        roles=shifts,
        tasks={"breached": {"role": "duty", "urgent": False}},
        desks={"compliance": {"role": "desk", "urgent": False}},
    )
    assert named.duty("breached", "compliance") == Duty("desk", urgent=False)
    assert named.duty("breached", "hart_director") == Duty("hart_director", urgent=False)
    assert named.duty("refused", "hart_director") == Duty("hart_director", urgent=True)
    assert named.duty("breached", "careline_supervisor") == Duty("duty", urgent=False)
    assert named.duty("refused", "careline_supervisor") == named.duty("refused") == Duty("duty")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fallback": []}, "fallback"),
        ({"fallback": ["nobody-known"]}, "not among the people"),
        ({"otherwise": {"role": "night"}}, "has no shift"),
        ({"people": {"ann": []}}, "every person needs a channel"),
        ({"desks": {"hart_liason": {"role": "duty"}}}, "desks are careline, .*hart_liaison"),
        ({"tasks": {"no_such_kind": {"role": "duty"}}}, "tasks"),
    ],
)
def test_a_roster_that_would_reach_nobody_is_refused(
    tmp_path: Path, changes: dict[str, object], said: str
) -> None:

    file = tmp_path / "roster.yaml"
    file.write_text(yaml.safe_dump(roster({}, **changes)))
    with pytest.raises(Misconfigured, match=said):
        read(file)


def test_hours_without_quotes_are_read_as_hours(tmp_path: Path) -> None:

    file = tmp_path / "roster.yaml"
    written = yaml.safe_dump(roster({})).replace("'18:00'", "18:00").replace("'08:00'", "8:00")
    assert "'" not in written.partition("ends:")[2].partition("\n")[0]
    file.write_text(written)
    assert any("08:00–18:00" in line for line in describe(read(file)))


# Whom to page


def page(number: int, person: str, minutes_ago: float, outcome: PageOutcome | None) -> Page:
    return Page(number, person, NOON - timedelta(minutes=minutes_ago), outcome)


def step(*pages: Page, kind: str = "refused", now: datetime = NOON) -> object:
    return next_step(made(), made().duty(kind), pages, now)


def test_the_first_in_order_is_paged_at_once_and_the_next_after_15_minutes() -> None:
    assert step() == PageNow("ann")
    assert step(page(1, "ann", 14, TAKEN)) == WaitUntil(NOON + timedelta(minutes=1))
    assert step(page(1, "ann", 15, TAKEN)) == PageNow("bob")
    two = (page(1, "ann", 30, TAKEN), page(2, "bob", 15, TAKEN))
    assert step(*two) == PageNow("chief"), "behind those on call comes the fallback"


def test_a_page_that_fails_or_is_lost_escalates_to_the_fallback_at_once() -> None:
    assert step(page(1, "ann", 0, FAILED)) == PageNow("chief")
    assert step(page(1, "ann", 0, LOST)) == PageNow("chief")
    both = (page(1, "ann", 0, FAILED), page(2, "chief", 0, FAILED))
    assert step(*both) == PageNow(OPERATIONS)


def test_when_everything_fails_it_is_tried_again_every_minute() -> None:
    all_failed = [
        page(number, person, 0, FAILED)
        for number, person in enumerate(("ann", "chief", OPERATIONS), 1)
    ]
    assert step(*all_failed) == WaitUntil(NOON + timedelta(minutes=1))
    assert step(*all_failed, now=NOON + timedelta(minutes=1)) == PageNow("bob")


def test_while_a_page_is_being_sent_nobody_else_is_paged() -> None:
    assert isinstance(step(page(1, "ann", 0, None)), WaitUntil)


def test_nobody_on_call_goes_to_the_fallback() -> None:
    assert next_step(NOBODY, NOBODY.duty("refused"), [], NOON) == PageNow(OPERATIONS, nobody=True)
    nobody = made(
        roles={"duty": [{"days": ["sun"], "people": ["ann"]}], "desk": [{"people": ["cat"]}]}
    )
    assert next_step(nobody, nobody.duty("refused"), [], NOON) == PageNow("chief", nobody=True)


def test_what_is_not_urgent_waits_for_the_hours_of_its_role() -> None:
    night = at(22)
    assert step(kind="directory_changed", now=night) == WaitUntil(at(8, day=4))
    assert step(kind="directory_changed") == PageNow("cat")


def test_a_new_shift_is_paged_before_the_old_one_is_paged_again() -> None:
    other = made(roles={"duty": [{"people": ["cat"]}], "desk": [{"people": ["cat"]}]})
    pages = [page(1, "ann", 30, TAKEN), page(2, "bob", 15, TAKEN)]
    assert next_step(other, other.duty("refused"), pages, NOON) == PageNow("cat")


@given(st.lists(st.sampled_from([TAKEN, FAILED, LOST]), max_size=30))
def test_somebody_is_paged_within_every_quarter_of_an_hour_for_ever(
    outcomes: list[PageOutcome],
) -> None:
    """P9: whatever becomes of the pages, the next one is never further away than 15 minutes."""
    now, pages = NOON, list[Page]()
    for number, outcome in enumerate(outcomes, 1):
        found = next_step(made(), made().duty("refused"), pages, now)
        while isinstance(found, WaitUntil):
            assert now < found.when <= now + EVERY
            now = found.when
            found = next_step(made(), made().duty("refused"), pages, now)
        pages.append(Page(number, found.person, now, outcome))
    assert len({(each.round, each.person) for each in pages}) == len(pages)
