"""What waits for a person or a partner is told before its alert is due."""

from datetime import UTC, datetime

from services.notify.waiting_checks import of_proposals, of_refusing, of_tasks
from services.notify.waiting_store import Open, Refusing
from shared.runtime.findings import Level

AGENCY = "agy_00000000000000000000000000000001"


def refusing(attempts: int, next_at: datetime | None = None) -> Refusing:
    return Refusing(AGENCY, "Example Police", "desk, 555-0100", 3, attempts, "ref_1", next_at)


def test_p9_an_agency_that_refuses_again_is_named_and_one_failure_is_ordinary() -> None:
    assert [each.level for each in of_refusing([refusing(1)])] == [Level.WELL]
    (found,) = of_refusing([refusing(2)])
    assert found.level is Level.LOOK
    assert found.says == (
        f"Example Police (desk, 555-0100; {AGENCY}) has not taken 3 notice(s), that of ref_1 "
        "after 2 attempts."
    )
    assert of_refusing([refusing(5)])[0].level is Level.ACT, "somebody was paged"


def test_the_next_try_of_what_is_stuck_is_said() -> None:
    (found,) = of_refusing([refusing(2, datetime(2026, 11, 26, 3, 4, 5, tzinfo=UTC))])
    assert found.says.endswith("after 2 attempts; the next one is due at 03:04:05Z.")


def test_p1_a_recipient_that_was_refused_is_for_now_and_a_changed_record_is_not() -> None:
    (now,) = of_tasks([Open("directory_changed", 1, 5.0), Open("refused", 2, 1.0)])
    assert (now.level, now.says) == (
        Level.ACT,
        "Nobody has acknowledged: 1 directory_changed, 2 refused.",
    )
    (soon,) = of_tasks([Open("directory_changed", 1, 5.0)])
    assert soon.level is Level.LOOK
    assert of_tasks([])[0].level is Level.WELL


def test_what_waits_for_a_second_person_is_named() -> None:
    (found,) = of_proposals([("prp_1", "directory")])
    assert found.level is Level.LOOK
    assert "prp_1 (directory)" in found.says
    many = of_proposals([(f"prp_{n}", "roster") for n in range(7)])
    assert many[0].says.endswith("and 2 more.")
    assert of_proposals([])[0].level is Level.WELL
