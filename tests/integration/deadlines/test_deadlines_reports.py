"""What is due, what was missed, how duties are met: and never a word of whom it is about."""

import csv
import io
from datetime import timedelta
from urllib.parse import quote

import pytest

from shared.contracts.codes import HtType, Role
from tests.integration.deadlines.conftest import PATH, Desk
from tests.support.clock_events import CONSULT, acknowledged, consult_requested
from tests.support.deadlines import (
    CHILD,
    DUE,
    HOUR,
    LE,
    RECEIVED,
    REFERRAL,
    agency,
    amended,
    delivered,
    opaque,
    planned,
    received,
)

PERIOD = f"since={quote(RECEIVED.isoformat())}&until={quote((RECEIVED + 200 * HOUR).isoformat())}"
OFFICER = "clocks:report"
SECOND = opaque("ref", 2)
SECOND_CHILD = opaque("chd", 2)


async def two_referrals(desk: Desk) -> None:
    """Of the first, police are told in time; of the second, an hour late; the rest never."""
    of = desk.deadlines
    await of.hear(received(), planned("A"), delivered("A", RECEIVED + HOUR))
    second = received(SECOND, {SECOND_CHILD: HtType.SEX})
    await of.hear(second, planned("A", child=SECOND_CHILD, referral=SECOND))
    await of.sweep_at(DUE + HOUR / 2)
    await of.hear(delivered("A", DUE + HOUR, child=SECOND_CHILD, referral=SECOND))
    await of.hear(acknowledged("A", RECEIVED + 2 * HOUR))
    of.clock.now = DUE + 2 * HOUR


async def test_a_warning_is_said_once_each_and_only_before_the_time_is_over(desk: Desk) -> None:
    of = desk.deadlines
    await of.hear(received(), planned("A"))
    for minutes in (250, 239, 120, 59, 30):
        await of.sweep_at(DUE - timedelta(minutes=minutes))
    events = await of.emitted()
    assert [event["before_minutes"] for event in events] == [240, 60]
    assert {event["type"] for event in events} == {"hartline.deadline.approaching.v1"}
    assert events[0]["tell"] == ["careline", "careline_supervisor"]
    await of.sweep_at(DUE + HOUR)
    assert [e["type"].split(".")[2] for e in await of.emitted()] == [
        "approaching",
        "approaching",
        "breached",
    ]


async def test_after_an_outage_only_the_shortest_warning_is_said(desk: Desk) -> None:
    of = desk.deadlines
    await of.hear(received(), planned("A"))
    await of.sweep_at(DUE - HOUR / 2)
    await of.sweep_at(DUE - HOUR / 4)
    assert [event["before_minutes"] for event in await of.emitted()] == [60]


async def test_an_event_says_of_which_recipient_or_consult_it_is(desk: Desk) -> None:
    of = desk.deadlines
    await of.hear(received(), planned("A"), delivered("A", RECEIVED), consult_requested(RECEIVED))
    for hours in (23, 25, 60, 73):
        await of.sweep_at(RECEIVED + hours * HOUR)
    found = {(e["type"].split(".")[2], e["policy"]): e["matter"] for e in await of.emitted(None)}
    for kind in ("approaching", "breached"):
        assert (found[kind, "ack24"], found[kind, "hart72"]) == (agency("A"), CONSULT)
    assert found["breached", "fbi12"] is None


async def test_no_warning_of_what_is_met(desk: Desk) -> None:
    of = desk.deadlines
    await of.hear(received(), planned("A"), delivered("A", RECEIVED + HOUR))
    await of.sweep_at(DUE - HOUR / 2)
    assert await of.emitted() == []


async def test_what_is_due_is_listed_by_time_role_and_desk(desk: Desk) -> None:
    of = desk.deadlines
    await of.hear(received(), planned("A"), consult_requested(RECEIVED))
    path = "/v1/clocks/due"
    soon = (await desk.get(f"{path}?hours=13")).json()["clocks"]
    assert {clock["policy"] for clock in soon} == {"le12", "fbi12", "csa12", "mdt12"}
    police = (await desk.get(f"{path}?hours=13&role={LE}")).json()["clocks"]
    assert [clock["referral_id"] for clock in police] == [REFERRAL]
    liaison = (await desk.get(f"{path}?hours=72&desk=hart_liaison")).json()["clocks"]
    assert [clock["policy"] for clock in liaison] == ["hart72"]
    of.clock.now = DUE + HOUR
    assert all(clock["overdue"] for clock in (await desk.get(f"{path}?hours=1")).json()["clocks"])


async def test_c28_the_calendar_names_no_child_and_no_referral(desk: Desk) -> None:
    """P5. Nor anything of an operation, of which clocks know nothing."""
    await desk.deadlines.hear(received(), planned("A"), consult_requested(RECEIVED))
    answer = await desk.get(f"/v1/clocks/due.ics?hours=13&role={LE}")
    assert answer.headers["content-type"].startswith("text/calendar")
    assert answer.text.count("BEGIN:VEVENT") == 1
    assert "DTSTART:20260308T080000Z\r\n" in answer.text
    assert all(len(line) <= 75 for line in answer.text.split("\r\n"))
    unfolded = answer.text.replace("\r\n ", "")
    assert "SUMMARY:Due: tell local law enforcement (le12\\, law)" in unfolded
    assert CHILD not in unfolded
    assert REFERRAL not in unfolded


async def test_breaches_of_a_period_come_with_their_reasons(desk: Desk) -> None:
    await two_referrals(desk)
    breaches = (await desk.get(f"/v1/breaches?{PERIOD}", OFFICER)).json()
    police = [each for each in breaches["breaches"] if each["role"] == LE]
    assert [(each["referral_id"], each["breach_reason"], each["state"]) for each in police] == [
        (SECOND, "delivery", "satisfied_late")
    ]
    others = {each["breach_reason"] for each in breaches["breaches"] if each["role"] != LE}
    assert others == {"lawful_recipient"}
    assert breaches["next"] is None


async def test_compliance_counts_each_policy_and_each_agency(desk: Desk) -> None:
    await two_referrals(desk)
    answer = (await desk.get(f"/v1/compliance?{PERIOD}", OFFICER)).json()
    lines = {(line["policy"], line["agency_id"]): line for line in answer["lines"]}
    for agency_id in (None, agency("A")):
        police = lines["le12", agency_id]
        assert (police["clocks"], police["in_time"], police["late"]) == (2, 1, 1)
        assert police["late_p50_seconds"] == police["late_p95_seconds"] == 3600
    assert (lines["fbi12", None]["not_yet"], lines["fbi12", None]["late_p50_seconds"]) == (2, None)
    answered = lines["ack24", agency("A")]
    assert (answered["in_time"], answered["not_yet"]) == (1, 1)
    table = (await desk.get(f"/v1/compliance?{PERIOD}&format=csv", OFFICER)).text
    rows = {(r["policy"], r["agency_id"]): r for r in csv.DictReader(io.StringIO(table))}
    assert rows["le12", ""]["late"] == "1"
    assert len(rows) == len(lines)
    picture = (await desk.get(f"/v1/compliance?{PERIOD}&format=svg", OFFICER)).text
    assert picture.startswith("<svg ")
    assert "le12 (2)" in picture
    assert "in time: 1" in picture


async def test_breaches_and_compliance_count_what_was_announced_in_the_same_period(
    desk: Desk,
) -> None:
    """Though the report turns out to have been received ten days earlier."""
    await desk.deadlines.hear(received(), planned("A"))
    await desk.deadlines.sweep_at(DUE + HOUR)
    earlier = RECEIVED - 240 * HOUR
    await desk.deadlines.hear(amended(2, at=earlier, recorded_at=DUE + 2 * HOUR))
    for began, counted in ((RECEIVED, 1), (earlier, 0)):
        since, until = (quote(at.isoformat()) for at in (began, began + 24 * HOUR))
        period = f"since={since}&until={until}"
        breaches = (await desk.get(f"/v1/breaches?{period}", OFFICER)).json()["breaches"]
        lines = (await desk.get(f"/v1/compliance?{period}", OFFICER)).json()["lines"]
        assert [each["policy"] for each in breaches].count("le12") == counted
        of_all = [each for each in lines if (each["policy"], each["agency_id"]) == ("le12", None)]
        assert sum(each["clocks"] for each in of_all) == counted


@pytest.mark.parametrize(
    "path",
    [
        f"{PATH}/history",
        "/v1/clocks/due",
        "/v1/clocks/due.ics",
        f"/v1/breaches?{PERIOD}",
        f"/v1/compliance?{PERIOD}",
    ],
)
async def test_reports_are_for_the_departments_own_people_with_the_scope(
    desk: Desk, path: str
) -> None:
    """P10."""
    assert (await desk.client.get(path)).status_code == 401
    assert (await desk.get(path, "notices:read")).status_code == 403
    both = ("clocks:read", OFFICER)
    refused = [await desk.get(path, scope, agency=opaque("agy", 1)) for scope in both]
    assert {answer.status_code for answer in refused} == {403}


async def test_a_period_that_ends_before_it_begins_is_refused(desk: Desk) -> None:
    backwards = PERIOD.replace("since", "x").replace("until", "since").replace("x=", "until=")
    assert (await desk.get(f"/v1/compliance?{backwards}", OFFICER)).status_code == 422


async def test_roles_have_a_clock_each(desk: Desk) -> None:
    await desk.deadlines.hear(received(), planned("E", role=Role.ELIGIBILITY_COORDINATOR))
    due = (await desk.get("/v1/clocks/due?hours=24&desk=eligibility_coordinator")).json()
    assert [clock["citation"] for clock in due["clocks"]] == ["22 USC 7105(b)(1)"]
