"""What waits for a person or a partner is told before its alert is due."""

from dataclasses import replace
from datetime import UTC, datetime

from services.notify.waiting_checks import of_proposals, of_refusing, of_tasks
from services.notify.waiting_store import Open, Refusing
from shared.runtime.findings import Level

AGENCY = "agy_00000000000000000000000000000001"


DUE = datetime(2026, 11, 26, 15, tzinfo=UTC)


def refusing(attempts: int, next_at: datetime | None = None, answer: str | None = None) -> Refusing:
    whom = (AGENCY, "Example Police", "desk, 555-0100")
    return Refusing(*whom, 3, attempts, "ref_1", attempts, DUE, next_at, answer)


def test_p9_an_agency_that_refuses_again_is_named_and_one_failure_is_ordinary() -> None:
    assert [each.level for each in of_refusing([refusing(1)])] == [Level.WELL]
    (found,) = of_refusing([refusing(2)])
    assert found.level is Level.LOOK
    assert found.says == (
        f"Example Police (desk, 555-0100; {AGENCY}) has not taken 3 notice(s), that of ref_1 "
        "(the nearest due, 2026-11-26T15:00:00Z) after 2 attempts."
    )
    assert of_refusing([refusing(5)])[0].level is Level.ACT, "somebody was paged"


def test_the_next_try_of_what_is_stuck_is_said() -> None:
    (found,) = of_refusing([refusing(2, datetime(2026, 11, 26, 3, 4, 5, tzinfo=UTC))])
    assert found.says.endswith("after 2 attempts; the next one is due at 03:04:05Z.")


def test_what_the_agency_last_answered_is_said() -> None:
    (answered,) = of_refusing([refusing(2, answer="404")])
    assert answered.says.endswith("after 2 attempts; its last answer was 404.")
    (kept,) = of_refusing([refusing(2, answer="unreachable")])
    assert kept.says.endswith("after 2 attempts; the last try ended as unreachable.")


def test_an_open_proposal_that_may_mend_it_is_named_and_is_for_now() -> None:
    waiting = replace(refusing(2, answer="404"), mend="prp_2", changed="prp_1")
    (found,) = of_refusing([waiting])
    assert found.level is Level.ACT
    assert "prp_1 changed its endpoint or key" in found.says
    assert found.do is not None
    assert "prp_2, open" in found.do
    assert "tried again by itself" not in found.do


def test_p1_a_recipient_that_was_refused_is_for_now_and_a_changed_record_is_not() -> None:
    (now,) = of_tasks([Open("directory_changed", 1, 5.0), Open("refused", 2, 1.0)])
    assert (now.level, now.says) == (
        Level.ACT,
        "Nobody has acknowledged: 1 directory_changed, 2 refused.",
    )
    (soon,) = of_tasks([Open("directory_changed", 1, 5.0)])
    assert soon.level is Level.LOOK
    assert of_tasks([])[0].level is Level.WELL


def test_a_task_that_is_over_is_soon_and_one_that_is_not_is_now() -> None:
    (soon,) = of_tasks([Open("unreachable", 2, 5.0, over=2)])
    assert (soon.level, soon.says) == (
        Level.LOOK,
        "Nobody has acknowledged: 2 unreachable (2 of them over by now).",
    )
    assert of_tasks([Open("unreachable", 2, 5.0, over=1)])[0].level is Level.ACT
    assert of_tasks([Open("unreachable", 1, 5.0, over=1), Open("refused", 1, 1.0)])[0].level is (
        Level.ACT
    )


def test_what_waits_for_a_second_person_is_named() -> None:
    (found,) = of_proposals([("prp_1", "directory")])
    assert found.level is Level.LOOK
    assert "prp_1 (directory)" in found.says
    many = of_proposals([(f"prp_{n}", "roster") for n in range(7)])
    assert many[0].says.endswith("and 2 more.")
    assert of_proposals([])[0].level is Level.WELL
