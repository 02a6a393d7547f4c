"""The rules of deciding: reasons by policy 22-3, and form DCF-823 that is never deleted."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.decisions import rules
from services.intake.decisions.codes import ACCEPTING, NOT_ACCEPTING, DecisionReason, Standing
from services.intake.decisions.rules import Create, Known, Outdated, Restate, Withdrawn
from services.intake.decisions.schemas import ChildIncident, Incident, NewDecision
from services.intake.strict_json import Rejected
from shared.contracts.codes import Acceptance

NOW = datetime(2026, 3, 2, 14, 5, tzinfo=UTC)
ONE, TWO = (f"chd_{digit * 32}" for digit in "12")


def decision(outcome: str, *reasons: str, **fields: Any) -> NewDecision:
    body = {"outcome": outcome, "reasons": list(reasons), "follows": 0} | fields
    return NewDecision.model_validate(body, strict=False)


ACCEPTED = decision("accepted", "meets_definition")
NOT_ACCEPTED = decision("not_accepted", "not_a_minor")


def refused(wanted: NewDecision) -> list[tuple[str | int, ...]]:
    with pytest.raises(Rejected) as error:
        rules.check(wanted, [ONE, TWO], NOW)
    return [flaw.path for flaw in error.value.flaws]


def test_trafficking_is_accepted_with_no_entrusted_perpetrator_named() -> None:
    rules.check(decision("accepted", "trafficking_no_entrusted_perpetrator"), [ONE], NOW)


def test_the_want_of_an_entrusted_perpetrator_is_no_reason_not_to_accept() -> None:
    assert refused(decision("not_accepted", "no_entrusted_perpetrator")) == [("reasons", 0)]


def test_a_reason_fits_its_outcome_and_every_reason_is_somewhere() -> None:
    assert refused(decision("accepted", "not_a_minor")) == [("reasons", 0)]
    assert refused(decision("not_accepted", "already_served")) == [("reasons", 0)]
    listed = ACCEPTING | NOT_ACCEPTING | {DecisionReason.NO_ENTRUSTED_PERPETRATOR}
    assert listed == set(DecisionReason)


def test_another_reason_is_said_in_words() -> None:
    assert refused(decision("accepted", "other")) == [("explanation",)]
    rules.check(decision("accepted", "other", explanation="An example."), [ONE], NOW)


def test_a_decision_may_be_written_down_later_and_is_never_in_the_future() -> None:
    earlier, later = NOW - timedelta(days=2), NOW + timedelta(hours=1)
    rules.check(decision("accepted", "meets_definition", decided_at=earlier.isoformat()), [], NOW)
    future = decision("accepted", "meets_definition", decided_at=later.isoformat())
    assert refused(future) == [("decided_at",)]


def test_an_incident_is_of_a_child_of_the_referral_and_of_what_is_accepted() -> None:
    foreign, ours = {"child_id": f"chd_{'9' * 32}"}, {"child_id": ONE}
    where = ("critical_incidents", 1, "child_id")
    for second in (foreign, ours):
        wanted = decision("accepted", "meets_definition", critical_incidents=[ours, second])
        assert refused(wanted) == [where]
    not_accepted = decision("not_accepted", "not_a_minor", critical_incidents=[ours])
    assert refused(not_accepted) == [("critical_incidents",)]


def test_who_decides_has_seen_the_decision_before() -> None:
    assert rules.permitted(ACCEPTED, 0, False) is None
    assert rules.permitted(ACCEPTED, 1, False) == Outdated()
    assert rules.permitted(ACCEPTED, 0, True) == Withdrawn()


def test_c12_a_reversal_restates_what_is_open_and_deletes_nothing() -> None:
    open_one = Known("inc_1", ONE, 3, Standing.OPEN)
    reversed_two = Known("inc_2", TWO, 2, Standing.ACCEPTANCE_REVERSED)
    known = [open_one, reversed_two]
    reversal = rules.steps(NOT_ACCEPTED, [ONE, TWO], known)
    assert reversal == [Restate(open_one, Standing.ACCEPTANCE_REVERSED, None)]
    again = rules.steps(ACCEPTED, [ONE, TWO], known)
    assert again == [Restate(reversed_two, Standing.OPEN, None)]


def test_acceptance_gives_each_child_what_is_known_and_a_late_child_its_own() -> None:
    given_content = ChildIncident(child_id=ONE, narrative="An example.")
    wanted = ACCEPTED.model_copy(update={"critical_incidents": [given_content]})
    assert rules.steps(wanted, [ONE, TWO], []) == [
        Create(ONE, Incident(narrative="An example.")),
        Create(TWO, Incident()),
    ]
    known = [Known("inc_1", ONE, 1, Standing.OPEN)]
    assert rules.steps(ACCEPTED, [ONE, TWO], known) == [Create(TWO, Incident())]


@given(st.lists(st.sampled_from(Acceptance), max_size=8))
def test_c12_whatever_is_decided_each_child_has_at_most_one_incident_that_stands_as_decided(
    outcomes: list[Acceptance],
) -> None:
    standing: dict[str, Known] = {}
    for outcome in outcomes:
        wanted = ACCEPTED if outcome is Acceptance.ACCEPTED else NOT_ACCEPTED
        for step in rules.steps(wanted, [ONE, TWO], list(standing.values())):
            if isinstance(step, Create):
                assert step.child_id not in standing
                made = Known(f"inc_{step.child_id}", step.child_id, 1, Standing.OPEN)
            else:
                made = Known(
                    step.known.incident_id,
                    step.known.child_id,
                    step.known.version + 1,
                    step.standing,
                )
            standing[made.child_id] = made
    stands = {each.standing for each in standing.values()}
    if Acceptance.ACCEPTED not in outcomes:
        assert standing == {}
    elif outcomes[-1] is Acceptance.ACCEPTED:
        assert (len(standing), stands) == (2, {Standing.OPEN})
    else:
        assert (len(standing), stands) == (2, {Standing.ACCEPTANCE_REVERSED})
