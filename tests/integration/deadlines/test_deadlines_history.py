"""The history says what was said, when it was said, of whom; and nothing else."""

from datetime import timedelta

from prometheus_client import REGISTRY

from shared.contracts.codes import HtType
from tests.integration.deadlines.conftest import PATH, Desk
from tests.support.clock_events import CONSULT, consult_requested
from tests.support.deadlines import (
    CHILD,
    DUE,
    HOUR,
    RECEIVED,
    agency,
    amended,
    delivered,
    opaque,
    planned,
    received,
)

LE12 = f"le12 (tell local law enforcement), child {CHILD}: "
WARNED = "hartline_deadlines_warnings_total"


async def lines(desk: Desk, begin: str = LE12) -> list[str]:
    """Of the history, those that begin so, without that."""
    found = (await desk.get(f"{PATH}/history")).json()["lines"]
    assert found == sorted(found, key=lambda each: each["at"])
    return [each["text"].removeprefix(begin) for each in found if each["text"].startswith(begin)]


async def test_the_history_reads_as_it_happened(desk: Desk) -> None:
    of = desk.deadlines
    await of.hear(received(), planned("A"))
    for minutes in (230, 30):
        await of.sweep_at(DUE - timedelta(minutes=minutes))
    await of.sweep_at(DUE + HOUR)
    await of.hear(delivered("A", DUE + 2 * HOUR))
    assert await lines(desk) == [
        "the clock began; due 2026-03-08 04:00 EDT.",
        "not met, due 2026-03-08 04:00 EDT; people were warned.",
        "not met, due 2026-03-08 04:00 EDT; people were warned.",
        "ran out (delivery); noticed 2026-03-08 05:00 EDT.",
        "the duty was met, late.",
    ]
    assert (await desk.get(f"/v1/referrals/{opaque('ref', 2)}/clocks/history")).status_code == 404


async def test_a_warning_that_was_passed_over_is_no_warning(desk: Desk) -> None:
    """After an outage only the shortest is said: one line, one row, one more in the metric."""
    of = desk.deadlines
    label = {"policy": "le12"}
    before = REGISTRY.get_sample_value(WARNED, label) or 0.0
    await of.hear(received(), planned("A"))
    await of.sweep_at(DUE - HOUR / 2)
    assert (await lines(desk))[1:] == ["not met, due 2026-03-08 04:00 EDT; people were warned."]
    assert (REGISTRY.get_sample_value(WARNED, label) or 0.0) == before + 1
    (row,) = await of.rows(
        "SELECT a.kind FROM deadlines.announcements a JOIN deadlines.clocks c USING (clock_id) "
        "WHERE c.policy = 'le12'"
    )
    assert row.kind == "approaching 60"
    await of.sweep_at(DUE - HOUR / 4)
    assert len(await of.emitted()) == 1, "what was passed over is not said later"


async def test_a_moved_due_time_has_a_line_and_redates_no_warning(desk: Desk) -> None:
    of = desk.deadlines
    await of.hear(received(), planned("A"))
    of.clock.now = DUE - timedelta(minutes=239)
    await of.sweeper.sweep_once()
    of.clock.now = DUE - 2 * HOUR
    await of.hear(amended(2, at=RECEIVED + 10 * HOUR, recorded_at=DUE - 2 * HOUR))
    await of.sweep_at(DUE + 10 * HOUR - timedelta(minutes=59))
    found = (await desk.get(f"{PATH}/history")).json()["lines"]
    own = [each for each in found if each["text"].startswith(LE12)]
    assert [(each["at"], each["text"].removeprefix(LE12)) for each in own] == [
        ("2026-03-07T20:00:00Z", "the clock began; due 2026-03-08 04:00 EDT."),
        ("2026-03-08T04:01:00Z", "not met, due 2026-03-08 04:00 EDT; people were warned."),
        (
            "2026-03-08T06:00:00Z",
            "the due time moved from 2026-03-08 04:00 EDT to 2026-03-08 14:00 EDT.",
        ),
        ("2026-03-08T17:01:00Z", "not met, due 2026-03-08 14:00 EDT; people were warned."),
    ]


async def test_every_line_says_of_which_child_recipient_or_consult(desk: Desk) -> None:
    of = desk.deadlines
    second = opaque("chd", 2)
    both = {CHILD: HtType.SEX, second: HtType.SEX}
    await of.hear(received(children=both), planned("AB"), planned("A", child=second))
    await of.hear(delivered("A", RECEIVED + HOUR), delivered("B", RECEIVED + HOUR))
    await of.hear(delivered("A", RECEIVED + HOUR, child=second), consult_requested(RECEIVED))
    found = [each["text"] for each in (await desk.get(f"{PATH}/history")).json()["lines"]]
    assert len(found) == len(set(found))
    for name, child in (("A", CHILD), ("B", CHILD), ("A", second)):
        begin = f"ack24 (hear of acknowledgement), child {child}, agency {agency(name)}: "
        assert len([line for line in found if line.startswith(begin)]) == 1
    assert any(f"(hart consult), child {CHILD}, consult {CONSULT}: " in line for line in found)
