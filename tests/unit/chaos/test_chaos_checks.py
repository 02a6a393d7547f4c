"""The kill harness's own checks: each finds what it is for, and nothing in a clean run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.chaos import clocks, conflicts, reckoning, record, withdrawals
from tests.chaos.agencies import STATEWIDE, Arrival
from tests.chaos.caller import Accepted, told
from tests.chaos.conflicts import Held
from tests.chaos.diary import Diary
from tests.chaos.ledgers import Announcement, Attempt, Ledgers, Outcome
from tests.chaos.report import Findings, table

DUE = datetime(2026, 3, 2, 12, tzinfo=UTC)
T = DUE.timestamp() - 100
LATE = DUE.timestamp() + 100
POLICE = reckoning.POLICE
ACCEPTED = Accepted("ref", "R1", ["child"], ["Danbury"], ["mark-1-0"], DUE, 1)


def arrival(**changes: Any) -> Arrival:
    plain = Arrival(T, "n1", "agency", POLICE, "R1", "child", 1, "original", "fine", ("mark-1-0",))
    return replace(plain, **changes)


ALL = [arrival(notice_id=role, role=role) for role in sorted(reckoning.REQUIRED_ROLES)]


def test_whoever_was_not_told_the_latest_of_a_child_is_named() -> None:
    assert not reckoning.lost([ACCEPTED], ALL)
    assert reckoning.lost([ACCEPTED], ALL[1:])
    assert reckoning.lost([replace(ACCEPTED, version=2)], ALL)
    assert reckoning.lost([replace(ACCEPTED, child_ids=["child", "sibling"])], ALL)
    assert reckoning.lost([ACCEPTED], [replace(ALL[0], mood="500"), *ALL[1:]])


def test_police_of_another_town_are_found() -> None:
    assert not reckoning.misdirected([ACCEPTED], ALL, {"Danbury": {"agency"}})
    assert reckoning.misdirected([ACCEPTED], ALL, {"Danbury": {"another"}})


def test_the_state_police_stand_in_where_a_conflict_was_asserted_and_nowhere_else() -> None:
    police = {"Danbury": {"agency"}, STATEWIDE: {"state police"}}
    instead = [arrival(agency_id="state police")]
    assert reckoning.misdirected([ACCEPTED], instead, police)
    assert not reckoning.misdirected([replace(ACCEPTED, objected=True)], instead, police)


def test_what_was_claimed_after_a_conflict_was_asserted_is_found() -> None:
    assert not conflicts.sent_all_the_same([Held("ref", "agency", T)], CLEAN)
    assert not conflicts.sent_all_the_same([Held("ref", "another", T - 2)], CLEAN)
    assert conflicts.sent_all_the_same([Held("ref", "agency", T - 2)], CLEAN)


OFF = arrival(notice_id="w1", at=T + 1, kind="withdrawal", marks=())


@pytest.mark.parametrize("cause", [withdrawals.FALSE_REPORT, withdrawals.ENTERED_IN_ERROR])
def test_who_got_something_and_not_its_withdrawal_is_found(cause: str) -> None:
    withdrawn = [replace(ACCEPTED, withdrawn=cause)]
    assert not withdrawals.unheard(withdrawn, [arrival(), OFF])
    assert not withdrawals.unheard([ACCEPTED], [arrival()])
    assert withdrawals.unheard(withdrawn, [arrival()])
    assert withdrawals.unheard(withdrawn, [arrival(mood="reset")]), "it may hold it"
    assert withdrawals.unheard(withdrawn, [arrival(), replace(OFF, mood="500")])
    assert withdrawals.unheard(withdrawn, [arrival(), replace(OFF, agency_id="another")])


def test_a_withdrawal_of_nothing_is_found() -> None:
    withdrawn = [replace(ACCEPTED, withdrawn=withdrawals.FALSE_REPORT)]
    assert not withdrawals.needless(withdrawn, [arrival(), OFF], UNTRIED)
    assert withdrawals.needless([ACCEPTED], [arrival(), OFF], UNTRIED)
    assert withdrawals.needless(withdrawn, [OFF], UNTRIED)


@pytest.mark.parametrize(
    ("outcomes", "found"),
    [
        ([Outcome("d1", "unknown", None, T)], False),
        ([], False),
        ([Outcome("d1", "failed", None, T)], True),
        ([Outcome("d1", "unknown", None, T), Outcome("d1", "failed", None, T)], True),
    ],
)
def test_who_may_hold_it_is_told_that_it_is_withdrawn(outcomes: list[Outcome], found: bool) -> None:
    withdrawn = [replace(ACCEPTED, withdrawn=withdrawals.FALSE_REPORT)]
    written = replace(CLEAN, outcomes=outcomes)
    own = replace(CLEAN.attempts[0], notice_id=OFF.notice_id, kind=OFF.kind)
    later = replace(CLEAN.attempts[0], at=OFF.at + 1)
    assert bool(withdrawals.needless(withdrawn, [OFF], written)) is found
    assert withdrawals.needless(withdrawn, [OFF], replace(written, attempts=[own, later]))


def test_what_arrives_after_its_withdrawal_is_found() -> None:
    assert not withdrawals.overtaken([arrival(), OFF])
    assert withdrawals.overtaken([arrival(at=T + 2), OFF])
    assert not withdrawals.overtaken([arrival(at=T + 2, child_id="sibling"), OFF])


def test_a_withdrawal_tells_nobody_and_only_an_error_need_not_be_told() -> None:
    assert reckoning.lost([ACCEPTED], withdrawals.telling([replace(OFF, role=POLICE), *ALL[1:]]))
    error = replace(ACCEPTED, withdrawn=withdrawals.ENTERED_IN_ERROR)
    false = replace(ACCEPTED, withdrawn=withdrawals.FALSE_REPORT)
    assert withdrawals.due([ACCEPTED, error, false]) == [ACCEPTED, false]


@pytest.mark.parametrize("marks", [(), ("mark-1-1",), ("mark-1-0", "mark-1-1")])
def test_another_childs_words_in_a_copy_are_found(marks: tuple[str, ...]) -> None:
    assert not reckoning.mixed([ACCEPTED], ALL)
    assert reckoning.mixed([ACCEPTED], [arrival(marks=marks)])


def test_an_earlier_version_after_a_later_one_is_found() -> None:
    first, second = arrival(), arrival(at=T + 1, version=2)
    assert not reckoning.out_of_order([second, first])
    assert reckoning.out_of_order([replace(second, at=T - 1), first])


CLEAN = Ledgers(
    attempts=[Attempt("d1", "n1", "agency", T - 1, "ref", "child", "original")],
    outcomes=[Outcome("d1", "completed", 200, T + 1)],
    views=["v1"],
    told={("child", role): datetime.fromtimestamp(T, UTC) for role in clocks.CLOCKED_ROLES},
    announcements=[],
    heard=[],
)
UNTRIED = replace(CLEAN, attempts=[])
LOG: list[dict[str, Any]] = [
    {"kind": "attempted", "disclosure_id": "d1", "notice_id": "n1", "agency_id": "agency"},
    {"kind": "completed", "disclosure_id": "d1", "http_status": 200},
    {"kind": "viewed", "disclosure_id": "v1"},
    {"kind": "refused", "notice_id": "n9"},
]


@pytest.mark.parametrize(
    ("arrivals", "ledgers"),
    [
        ([arrival()], replace(CLEAN, attempts=[])),
        ([arrival(at=T - 2)], CLEAN),
        ([arrival(), arrival(at=T + 5)], CLEAN),
        ([arrival()], replace(CLEAN, outcomes=[Outcome("d1", "failed", None, T)])),
    ],
    ids=["no attempt", "attempt afterwards", "one attempt for two", "recorded as not sent"],
)
def test_an_arrival_without_an_attempt_of_its_own_before_it_is_found(
    arrivals: list[Arrival], ledgers: Ledgers
) -> None:
    assert not record.unrecorded([arrival()], CLEAN)
    assert record.unrecorded(arrivals, ledgers)


@pytest.mark.parametrize("gone", range(3))
def test_what_the_log_lacks_or_has_twice_or_made_up_is_found(gone: int) -> None:
    assert not record.without_entry(CLEAN, LOG)
    assert not record.without_record(CLEAN, LOG)
    assert record.without_entry(CLEAN, [e for n, e in enumerate(LOG) if n != gone])
    assert record.without_record(CLEAN, [*LOG, LOG[gone]])
    assert record.without_record(CLEAN, [*LOG, LOG[gone] | {"disclosure_id": "another"}])


def test_an_attempt_without_an_outcome_is_found() -> None:
    assert not record.unfinished(CLEAN)
    assert record.unfinished(replace(CLEAN, outcomes=[]))


@pytest.mark.parametrize("mood", ["500", "reset"])
def test_an_answer_that_nobody_gave_is_found(mood: str) -> None:
    assert not record.untrue([arrival()], CLEAN)
    assert record.untrue([arrival(mood=mood)], CLEAN)
    assert record.untrue([], CLEAN)
    both = [*CLEAN.outcomes, Outcome("d1", "failed", None, T)]
    assert record.untrue([arrival()], replace(CLEAN, outcomes=both))


def killed(at: float, whom: str) -> Diary:
    diary = Diary()
    diary.killed(whom, whom, at)
    return diary


def test_an_unknown_needs_a_cause() -> None:
    unknown = replace(CLEAN, outcomes=[Outcome("d1", "unknown", None, T + 10)])
    assert record.baseless([arrival()], unknown, Diary())
    assert record.baseless([arrival()], unknown, killed(T + 5, "audit"))
    assert record.baseless([arrival()], unknown, killed(T - 60, "notify"))
    assert not record.baseless([arrival()], unknown, killed(T + 5, "notify"))
    assert not record.baseless([arrival(mood="reset")], unknown, Diary())
    later = [*unknown.outcomes, *CLEAN.outcomes]
    assert not record.baseless([arrival()], replace(unknown, outcomes=later), Diary())


def clock(role: str, state: str = "satisfied") -> dict[str, Any]:
    return {
        "clock_id": f"clock {role}",
        "child_id": "child",
        "role": role,
        "duty": f"tell_{role}",
        "state": state,
        "due_at": DUE.isoformat(),
    }


def judge(
    ledgers: Ledgers,
    arrivals: Sequence[Arrival] = ALL,
    *,
    state: str = "satisfied",
    without: str | None = None,
) -> list[str]:
    """With the police's clock in that state."""
    shown: Mapping[str, Any] = {
        "ref": [
            clock(role, state if role == POLICE else "satisfied")
            for role in clocks.CLOCKED_ROLES
            if role != without
        ]
    }
    return clocks.faults([ACCEPTED], shown, ledgers, arrivals)


def said(*corrects: bool, **changes: Any) -> dict[str, Any]:
    found = [
        replace(Announcement(f"e{n}", each, f"clock {POLICE}", DUE), **changes)
        for n, each in enumerate(corrects)
    ]
    return {"announcements": found, "heard": [each.event_id for each in found]}


def late() -> tuple[Ledgers, list[Arrival]]:
    when = datetime.fromtimestamp(LATE, UTC)
    arrivals = [replace(each, at=LATE) if each.role == POLICE else each for each in ALL]
    return replace(CLEAN, told={**CLEAN.told, ("child", POLICE): when}), arrivals


def test_clocks_met_in_time_are_in_order() -> None:
    assert not judge(CLEAN)
    assert not judge(replace(CLEAN, **said(False, True)), state="breached_then_corrected")


def test_a_breach_announced_once_is_in_order() -> None:
    ledgers, arrivals = late()
    assert not judge(replace(ledgers, **said(False)), arrivals, state="satisfied_late")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda told_late: replace(told_late, **said()),
        lambda told_late: replace(told_late, **said(False, False)),
        lambda told_late: replace(told_late, **said(False, True)),
        lambda told_late: replace(told_late, **said(False, due_at=DUE + timedelta(seconds=1))),
        lambda told_late: replace(told_late, **(said(False) | {"heard": []})),
        lambda told_late: replace(told_late, **(said(False) | {"heard": ["e0", "e0"]})),
        lambda told_late: replace(told_late, **said(False, clock_id="clock of nobody")),
    ],
    ids=["none", "twice", "corrected", "misdated", "unheard", "heard twice", "no clock"],
)
def test_a_breach_that_is_not_exactly_one_is_found(wrong: Callable[[Ledgers], Ledgers]) -> None:
    ledgers, arrivals = late()
    assert judge(wrong(ledgers), arrivals, state="satisfied_late")


def test_receivers_who_answered_nobody_in_time_are_believed_over_notify() -> None:
    _, arrivals = late()
    assert judge(CLEAN, arrivals)


def test_a_breach_of_whom_was_told_in_time_is_found() -> None:
    assert judge(replace(CLEAN, **said(False)), state="satisfied_late")


def test_a_clock_that_is_missing_or_open_is_found() -> None:
    assert judge(CLEAN, without=POLICE)
    assert judge(CLEAN, state="open")
    assert judge(replace(CLEAN, told={}))


def test_children_of_a_referral_have_towns_and_marks_of_their_own() -> None:
    bodies = [told(number, DUE) for number in range(20)]
    assert {len(body["children"]) for body in bodies} == {1, 2, 3}
    for body in bodies:
        towns = [child["residence_town"] for child in body["children"]]
        assert len(set(towns)) == len(towns)


def test_the_table_names_what_is_wrong() -> None:
    diary = killed(T, "notify.deliver.after_post")
    diary.frozen("audit", T, T + 34, woke=True)
    shown = table(diary, Findings({"fail points never hit": ["audit.seal.after_sign"]}))
    assert "audit.seal.after_sign" in shown
    assert "34 s" in shown
    assert not Findings({"fail points never hit": ["audit.seal.after_sign"]}).nothing
