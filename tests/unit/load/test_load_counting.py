"""The figures of the load programs: by id, over the right notices, and against the right run."""

import argparse
from collections import Counter

import pytest

from tests.load import beside, drain, hanging, referrals, saturated, soak
from tests.load.arguments import between, whole
from tests.load.drain import drained
from tests.load.goals import Goal
from tests.load.hanging import Run, ratio, summary, waits
from tests.load.openloop import Sent, throughput
from tests.load.receiver import Arrival
from tests.load.reporting import table
from tests.load.soak import judgement

SENT = Sent(1, intended_at=9.0, answered_at=10.0, status=201, reference="HL-1")


def test_the_hanging_partner_itself_is_not_counted() -> None:
    arrivals = {"HL-1": {"n1": Arrival("fbi", 99.0), "n2": Arrival("police", 10.25)}}
    assert waits([SENT], arrivals, but="fbi") == [0.25]


def test_what_never_came_is_no_latency() -> None:
    assert waits([SENT], {}, but="fbi") == []


def run(*, hung: bool, wait: float, lost: int = 0) -> Run:
    return Run(hung, (wait,) * 20, accepted=5, refused=0, lost=lost)


def test_the_ratio_is_of_the_runs_with_it_to_those_without_in_either_order() -> None:
    runs = [
        *(run(hung=False, wait=0.010), run(hung=True, wait=0.011)),
        *(run(hung=True, wait=0.033), run(hung=False, wait=0.030)),
    ]
    found = summary(runs)
    assert found["ratio_p95"] == ratio(0.033, 0.030) == 1.1
    assert found["ratio_p95_of_each_pair"] == [1.1, 1.1]
    assert (found["accepted"], found["lost"]) == (20, 0)


def test_a_lost_notice_of_any_run_is_told() -> None:
    assert summary([run(hung=False, wait=1), run(hung=True, wait=1, lost=2)])["lost"] == 2


def test_a_notice_that_beats_its_own_answer_makes_no_negative_ratio() -> None:
    assert ratio(0.001, -0.002) == 10.0


def test_a_drain_counts_what_was_held_by_id() -> None:
    took = Counter({"a": 1, "b": 2, "warm": 3})
    first_bytes = {"a": 102.0, "b": 104.0, "later": 110.0}
    found = drained({"a", "b", "gone"}, took, first_bytes, back=100.0)
    assert (found["held"], found["taken"], found["lost"], found["taken_twice"]) == (3, 2, 1, 1)
    assert found["notices_per_second"] == 0.5
    assert (found["back_to_first_seconds"], found["back_to_last_seconds"]) == (2.0, 4.0)


def test_a_drain_of_which_nothing_came_says_so() -> None:
    found = drained({"a"}, Counter(), {}, back=100.0)
    assert (found["taken"], found["lost"], found["back_to_first_seconds"]) == (0, 1, None)


def test_throughput_is_of_the_middle_without_a_straggler() -> None:
    times = [float(n) for n in range(100)] + [1000.0]
    assert throughput(times) == 1.0
    assert throughput([]) == throughput([5.0]) == 0.0


def test_a_soak_names_all_that_is_wrong() -> None:
    fine = {"growing": [], "refused": 0, "lost": 0, "left_waiting": {}}
    assert judgement(fine) == "flat"
    wrong = {
        "growing": ["notify, MB"],
        "refused": 0,
        "lost": 2,
        "left_waiting": {"notify inbox": 3},
    }
    assert judgement(wrong) == "notify, MB grows; 2 lost; 3 left in notify inbox"


def test_a_goal_is_absolute_and_beside_a_peer_what_it_is_to_that() -> None:
    fast, lean = Goal(1000, peer=2000, at_least=True), Goal(2.0, peer=1.0)
    assert fast.judged(800) == "≥ 1000: MISSED"
    assert fast.beside(800, 1500) == "≥ 0.5: met"
    assert lean.judged(1.9) == "≤ 2: met"
    assert lean.beside(1.9, 0.9) == "≤ 2: MISSED"


def test_beside_a_peer_of_which_nothing_is_known_there_is_no_goal() -> None:
    assert Goal(15.0).beside(10.0, 3.0) == Goal(2.0, peer=1.0).beside(1.9, 0.0) == ""


def test_every_child_of_a_referral_is_another() -> None:
    names = [child["name"] for child in referrals.body(7, children=3)["children"]]
    assert names == ["Test Child 7", "Test Child 7.1", "Test Child 7.2"]


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "0", "1001", "", "many"])
def test_a_rate_that_is_nonsense_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="from 0"):
        between(0.1, 1000)(text)


@pytest.mark.parametrize("text", ["-3", "2.5", "0", "101", "1e3", "²"])
def test_a_count_that_is_nonsense_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="from 1 to 100"):
        whole(1, 100)(text)


@pytest.mark.parametrize("program", [beside, drain, hanging, saturated, soak])
def test_what_is_not_asked_for_is_within_the_bounds(program: object) -> None:
    parser = program.arguments()  # type: ignore[attr-defined]
    for action in parser._actions:
        if callable(action.type) and action.default is not None:
            assert action.type(f"{action.default:g}") == action.default


def test_a_soak_too_short_to_judge_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["soak", "--minutes", "1", "--every", "20"])
    with pytest.raises(SystemExit):
        soak.main(soak.arguments())


def test_a_table_has_columns_as_wide_as_they_must_be() -> None:
    assert table([("a", 1), ("long", 22)]) == "  a     1\n  long  22"
    assert table([]) == ""
