"""The published code lists and the code say the same, and every list says where it comes from."""

from enum import StrEnum
from pathlib import Path

import pytest
import yaml

from services import intake
from services.intake.calls.schemas import ClosedWhy
from services.intake.decisions.codes import DecisionReason, IncidentType
from shared.contracts.codes import Acceptance, Relation, WithdrawalCause

PATH = Path(intake.__file__).parent / "data" / "life_code_lists.yaml"
LISTS = {each["name"]: each for each in yaml.safe_load(PATH.read_text())["lists"]}
TYPES: dict[str, type[StrEnum]] = {
    "decision_outcome": Acceptance,
    "decision_reason": DecisionReason,
    "incident_type": IncidentType,
    "withdrawal_cause": WithdrawalCause,
    "relation": Relation,
    "call_closed_why": ClosedWhy,
}


def test_every_list_has_its_type() -> None:
    assert set(LISTS) == set(TYPES)


@pytest.mark.parametrize("name", TYPES)
def test_a_list_names_its_source_and_exactly_the_codes_of_its_type(name: str) -> None:
    assert LISTS[name]["source"]
    assert [each["code"] for each in LISTS[name]["codes"]] == list(TYPES[name])
