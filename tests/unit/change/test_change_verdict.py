"""What a change under load is judged by."""

from tests.change.caller import Call
from tests.change.verdict import Part, answers, first_bytes, reckon


def call(number: str, *statuses: int, at: float = 0.0) -> Call:
    return Call(at, at + 0.5, number, statuses or (201,))


def test_everything_told_once_is_well() -> None:
    seen = reckon([call("A"), call("B")], {"A": [1.0, 1.0], "B": [1.0, 1.0]}, "abcd", 2)
    assert seen.well


def test_a_referral_with_a_recipient_missing_is_lost_and_one_too_many_was_planned_twice() -> None:
    seen = reckon([call("A"), call("B"), call("C")], {"A": [1.0], "B": [1.0] * 3}, "abcd", 2)
    assert (seen.lost, seen.too_many) == (["A", "C"], ["B"])
    assert not seen.well


def test_a_notice_that_came_twice_is_doubled_by_its_id() -> None:
    seen = reckon([call("A")], {"A": [1.0, 1.0]}, ["one", "two", "one"], 2)
    assert seen.doubled == ["one"]
    assert not seen.well


def test_a_5xx_counts_though_the_call_was_accepted_in_the_end() -> None:
    seen = reckon([call("A", 503, 201)], {"A": [1.0, 1.0]}, "ab", 2)
    assert len(seen.server_errors) == 1
    assert not seen.well


def test_a_connection_that_ended_is_told_and_is_well_once_it_was_accepted() -> None:
    seen = reckon([call("A", 0, 201)], {"A": [1.0, 1.0]}, "ab", 2)
    assert len(seen.unanswered) == 1
    assert seen.well
    assert not reckon([call("", 0, 0)], {}, "", 2).well


def test_a_part_holds_the_calls_that_were_due_in_it() -> None:
    calls = [call("A", at=1.0), call("B", at=2.0), call("C", at=3.0)]
    assert [each.number for each in Part("calm", 1.0, 3.0).of(calls)] == ["A", "B"]


def test_latencies_count_from_the_answer_and_answers_from_when_they_were_due() -> None:
    calls = [call("A", at=1.0), call("", 503, at=2.0)]
    assert first_bytes(calls, {"A": [1.5, 2.5]}) == [0.0, 1.0]
    assert answers(calls) == [0.5]
