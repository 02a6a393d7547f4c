"""The published lists of decisions and calls say what their types say."""

from enum import StrEnum

import pytest

from services.intake.calls.schemas import ClosedWhy
from services.intake.codes import code_lists
from services.intake.decisions.codes import DecisionReason, IncidentType
from shared.contracts.codes import Acceptance, Relation, WithdrawalCause

TYPES: dict[str, type[StrEnum]] = {
    "decision_outcome": Acceptance,
    "decision_reason": DecisionReason,
    "incident_type": IncidentType,
    "withdrawal_cause": WithdrawalCause,
    "relation": Relation,
    "call_closed_why": ClosedWhy,
}


@pytest.mark.parametrize("name", TYPES)
def test_a_list_has_exactly_the_codes_of_its_type(name: str) -> None:
    assert [each.code for each in code_lists()[name].codes] == list(TYPES[name])
