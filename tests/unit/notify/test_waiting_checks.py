"""What waits for a person or a partner is told before its alert is due."""

from services.notify.waiting_checks import of_proposals, of_refusing, of_tasks
from services.notify.waiting_store import Open, Refusing
from shared.runtime.findings import Level

AGENCY = "agy_00000000000000000000000000000001"


def test_p9_an_agency_that_refuses_again_is_named_and_one_failure_is_ordinary() -> None:
    assert [each.level for each in of_refusing([Refusing(AGENCY, 3, 1)])] == [Level.WELL]
    (found,) = of_refusing([Refusing(AGENCY, 3, 2)])
    assert found.level is Level.LOOK
    assert f"{AGENCY} has not taken 3 notice(s), one after 2 attempts." in found.says


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
