"""The check of acknowledgements' clocks finds what it is for, and nothing in a clean run."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.chaos import other_clocks, withdrawals
from tests.chaos.agencies import Arrival
from tests.chaos.caller import Accepted
from tests.chaos.ledgers import Announcement

TOLD = datetime(2026, 3, 2, 12, tzinfo=UTC)
DUE = TOLD + timedelta(hours=24)
ACCEPTED = Accepted("ref", "R1", ["child"], ["Danbury"], ["mark-1-0"], DUE, 1)
ARRIVAL = Arrival(
    TOLD.timestamp() - 1,
    "n1",
    "agency",
    "local_law_enforcement",
    "R1",
    "child",
    1,
    "original",
    "fine",
    ("mark-1-0",),
)
BREACH = Announcement("e1", corrects=False, clock_id="clock", due_at=DUE)


def clock(**changes: Any) -> dict[str, Any]:
    plain = {
        "clock_id": "clock",
        "child_id": "child",
        "duty": "hear_of_acknowledgement",
        "matter": "agency",
        "basis_at": TOLD.isoformat(),
        "due_at": DUE.isoformat(),
        "state": "open",
    }
    return plain | changes


def judge(
    *clocks: dict[str, Any],
    accepted: Accepted = ACCEPTED,
    said: tuple[Announcement, ...] = (),
    arrivals: tuple[Arrival, ...] = (ARRIVAL,),
) -> list[str]:
    return other_clocks.faults([accepted], {"ref": clocks}, said, arrivals)


def test_a_clock_for_each_who_was_told_and_no_more_is_in_order() -> None:
    assert not judge(clock())
    assert not judge(clock(state="breached"), said=(BREACH,))
    assert not judge(arrivals=(replace(ARRIVAL, mood="500"),))
    assert not judge(clock(duty="tell_fbi", clock_id="other"), clock())


def test_whoever_was_told_and_has_no_clock_or_two_is_found() -> None:
    assert judge()
    assert judge(clock(), clock(clock_id="another"))
    assert judge(clock(matter="another"))
    assert judge(clock(), arrivals=(ARRIVAL, replace(ARRIVAL, agency_id="second")))


@pytest.mark.parametrize("kind", ["withdrawal", "consult_outcome"])
def test_what_tells_nothing_starts_no_clock(kind: str) -> None:
    assert not judge(arrivals=(replace(ARRIVAL, kind=kind),))
    assert judge(clock(), arrivals=(replace(ARRIVAL, kind=kind),))


@pytest.mark.parametrize(
    "changes",
    [
        {"basis_at": (TOLD - timedelta(minutes=1)).isoformat()},
        {"due_at": (DUE + timedelta(seconds=1)).isoformat()},
        {"state": "breached"},
        {"state": "satisfied"},
    ],
)
def test_a_clock_that_is_misdated_or_counts_otherwise_than_was_said_is_found(
    changes: dict[str, str],
) -> None:
    assert judge(clock(**changes))


@pytest.mark.parametrize(
    "said",
    [
        (BREACH, replace(BREACH, event_id="e2")),
        (BREACH, replace(BREACH, event_id="e2", corrects=True)),
        (replace(BREACH, due_at=TOLD),),
    ],
    ids=["twice", "corrected", "misdated"],
)
def test_a_breach_that_is_doubled_or_corrected_or_misdated_is_found(
    said: tuple[Announcement, ...],
) -> None:
    assert judge(clock(state="breached"), said=said)


def test_where_the_law_decides_who_answers_nothing_is_looked_for() -> None:
    assert not judge(accepted=replace(ACCEPTED, objected=True))
    left = ARRIVAL, replace(ARRIVAL, kind="supersession")
    assert not judge(clock(state="released"), arrivals=left)
    assert not judge(accepted=replace(ACCEPTED, withdrawn=withdrawals.FALSE_REPORT))


@pytest.mark.parametrize("duty", sorted(other_clocks.CONSULTS))
def test_the_clock_of_a_consult_that_nobody_asked_for_is_found(duty: str) -> None:
    assert judge(clock(), clock(duty=duty, clock_id="another"))
