"""What is overdue stays on the list until it is met, and comes first."""

from datetime import timedelta

import pytest

from services.deadlines import due
from shared.contracts.codes import HtType, Role, Stage
from tests.integration.deadlines.conftest import Desk
from tests.support.clock_events import consult_requested, rerouted, withdrawn
from tests.support.deadlines import (
    CHILD,
    DUE,
    HOUR,
    LE,
    RECEIVED,
    agency,
    delivered,
    opaque,
    planned,
    received,
)

SIBLING = opaque("chd", 2)
DUE_PATH = f"/v1/clocks/due?hours=72&role={LE}"
FEED_PATH = f"/v1/clocks/due.ics?hours=72&role={LE}"


def components(feed: str) -> list[str]:
    """Of a calendar, in order: checks that each begins and ends within it, and is not empty."""
    lines = feed.replace("\r\n ", "").split("\r\n")
    assert (lines[0], lines[-2:]) == ("BEGIN:VCALENDAR", ["END:VCALENDAR", ""])
    open_, found = [], []
    for line in lines[:-1]:
        name, _, value = line.partition(":")
        if name == "BEGIN":
            open_.append(value)
            found += [value] if len(open_) == 2 else []
        elif name == "END":
            assert open_.pop() == value
    assert open_ == []
    return found


async def test_what_was_missed_stays_due_until_it_is_met_and_comes_first(desk: Desk) -> None:
    of = desk.deadlines
    await of.hear(received(), planned("A"), consult_requested(RECEIVED))
    await of.sweep_at(DUE + HOUR)
    clocks = (await desk.get("/v1/clocks/due?hours=72")).json()["clocks"]
    overdue = {clock["policy"] for clock in clocks if clock["overdue"]}
    assert overdue == {"le12", "fbi12", "csa12", "mdt12"}
    assert {c["state"] for c in clocks if c["overdue"]} == {"breached"}
    assert [clock["overdue"] for clock in clocks] == [True] * 4 + [False]
    assert "SUMMARY:Overdue: tell local law enforcement" in (await desk.get(FEED_PATH)).text
    await of.hear(delivered("A", DUE + 2 * HOUR))
    assert (await desk.get(DUE_PATH)).json()["clocks"] == []


async def test_what_was_missed_and_is_no_longer_owed_is_not_due(desk: Desk) -> None:
    """Entered in error afterwards: the breach stays, and there is nothing to do."""
    of = desk.deadlines
    await of.hear(received(), planned("A"))
    await of.sweep_at(DUE + HOUR)
    await of.hear(withdrawn(DUE + 2 * HOUR))
    assert (await of.clock_of()).state == "breached"
    assert (await desk.get(DUE_PATH)).json()["clocks"] == []


async def test_an_empty_calendar_is_a_calendar(desk: Desk) -> None:
    """RFC 5545, 3.6: at least one component."""
    feed = await desk.get(FEED_PATH)
    assert components(feed.text) == ["VTIMEZONE"]
    await desk.deadlines.hear(received(), planned("A"))
    assert components((await desk.get(FEED_PATH)).text) == ["VTIMEZONE", "VEVENT"]


async def test_more_than_is_listed_is_said_and_crowds_out_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due, "MOST", 3)
    of = desk.deadlines
    await of.hear(received(), planned("A"), planned("E", role=Role.ELIGIBILITY_COORDINATOR))
    assert not (await desk.get(DUE_PATH)).json()["more"]
    await of.sweep_at(DUE + timedelta(seconds=1))
    answer = (await desk.get("/v1/clocks/due?hours=72")).json()
    listed = [(clock["overdue"], clock["policy"]) for clock in answer["clocks"]]
    assert answer["more"]
    assert ([overdue for overdue, _ in listed], listed[-1][1]) == ([True] * 3 + [False], "hhs24")
    feed = (await desk.get("/v1/clocks/due.ics?hours=72")).text
    assert components(feed).count("VEVENT") == 1 + 4
    assert "not all are listed here" in feed.replace("\r\n ", "")


async def due_at(desk: Desk, office: str) -> set[tuple[str, str]]:
    answer = await desk.get(f"/v1/clocks/due?hours=72&office={office}")
    return {(clock["child_id"], clock["policy"]) for clock in answer.json()["clocks"]}


async def test_what_is_due_at_an_office_is_that_of_the_children_assigned_to_it(desk: Desk) -> None:
    """To the Regional Office of each child's town, and from a reroute on to another."""
    of, office = desk.deadlines, Role.REGIONAL_OFFICE
    kinds = {CHILD: HtType.SEX, SIBLING: HtType.SEX}
    await of.hear(received(children=kinds), planned("A"), planned("B", child=SIBLING))
    assert await due_at(desk, agency("O")) == set()
    await of.hear(
        planned("O", role=office, stage=Stage.ACCEPTED),
        planned("P", role=office, stage=Stage.ACCEPTED, child=SIBLING),
    )
    assert {child for child, _ in await due_at(desk, agency("O"))} == {CHILD}
    assert {child for child, _ in await due_at(desk, agency("P"))} == {SIBLING}
    feed = (await desk.get(f"/v1/clocks/due.ics?hours=72&office={agency('O')}")).text
    assert components(feed).count("VEVENT") == len(await due_at(desk, agency("O")))
    await of.hear(rerouted("O", "Q", RECEIVED + HOUR, role=office, stage=Stage.ACCEPTED))
    assert await due_at(desk, agency("O")) == set()
    assert {child for child, _ in await due_at(desk, agency("Q"))} == {CHILD}
    await of.sweep_at(DUE + HOUR)
    assert (CHILD, "le12") in await due_at(desk, agency("Q"))


async def test_an_office_that_is_no_id_is_refused(desk: Desk) -> None:
    answer = await desk.get("/v1/clocks/due?office=Danbury")
    assert answer.status_code == 422
    assert "office" in answer.text
