"""Who counts as a second person, and what counts as a reason, wherever it takes two."""

import argparse
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import BaseModel, ValidationError

from services.audit.accounting import withholding
from services.audit.retention import rules as retention
from services.deadlines.changes import proposals as policies
from services.deadlines.changes import schemas as policy_schemas
from services.intake.hart import lifts
from services.notify.controls import schemas as controls
from services.notify.directory import schemas as directory_schemas
from services.notify.enrolment import schemas as enrolment
from services.notify.oncall import schemas as oncall
from services.notify.proposals import proposal as proposals
from services.notify.rulemaking.api import RulesIn
from shared.runtime.two_people import same_person, typed_reason

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
MAKER = "maker@example.test"
ONE_AND_THE_SAME = {
    "a blank": " maker@example.test ",
    "capitals": "Maker@Example.test",
    "nothing that shows": "ma\u200bker@example.test",
    "a Cyrillic letter": "m\u0430ker@example.test",
    "Cyrillic capitals": "\u041c\u0410\u041aER@example.test",
    "a Greek letter": "mak\u0395r@example.test",
    "full width": "\uff4daker@example.test",
    "an accent": "ma\u0301ker@example.test",
    "a stop": "maker@example.test.",
}
ANOTHER = ("maker2@example.test", "maker@example2.test", "m.aker@example.test", "\u5408\u6210", "")
BLANK = {"blank": "   ", "empty": "", "unseen": "\u200b\u200b\u200b", "no-break": "\u00a0" * 4}


@pytest.mark.parametrize("other", ONE_AND_THE_SAME.values(), ids=ONE_AND_THE_SAME)
def test_one_person_written_otherwise_is_no_second_one(other: str) -> None:
    assert same_person(other, MAKER)
    assert same_person(MAKER, other)


@pytest.mark.parametrize("other", ANOTHER)
def test_another_one_is(other: str) -> None:
    assert not same_person(other, MAKER)
    assert not same_person(MAKER, None)


def test_people_whose_names_are_not_latin_are_told_apart() -> None:
    assert not same_person("\u5408\u6210", "\u4f8b\u793a")


def _notify(who: str) -> object:
    made = cast(proposals.Proposal, SimpleNamespace(proposed_by=MAKER))
    return proposals.new_state(made, who, approve=True)


def _policy(who: str) -> object:
    made = cast(policies.Proposal, SimpleNamespace(proposed_by=MAKER))
    return policies.new_state(made, who, approve=True)


def _shredding(who: str) -> object:
    asked = retention.Shredding(
        shredding_id="shr",
        child_id="chd",
        referral_id="ref",
        ground=retention.Ground.RETENTION,
        citation="CGS 4-193",
        state=retention.State.ASKED,
        asked_by=MAKER,
        asked_at=NOW,
    )
    found = retention.approve(asked, who, NOW)
    return None if isinstance(found, retention.SamePerson) else found


def _legal_hold(who: str) -> object:
    held = retention.Hold("hld", "chd", "CGS 4-193", "x", NOW, release_asked_by=MAKER)
    found = retention.release(held, who, NOW)
    return None if isinstance(found, retention.SamePerson) else found


def _withholding(who: str) -> object:
    held = withholding.Withholding(
        withholding_id="wth",
        child_id="chd",
        disclosure_ids=(),
        ground=next(iter(withholding.Ground)),
        citation="CGS 4-193",
        agency_id=None,
        until=None,
        withheld_by="x",
        withheld_at=NOW,
        lift_asked_by=MAKER,
    )
    found = withholding.lift(held, who, NOW)
    return None if isinstance(found, withholding.SamePerson) else found


def _recusal(who: str) -> object:
    found = lifts.confirm(lifts.Lift(proposed_by=MAKER), who)
    return None if isinstance(found, lifts.SameHands) else found


DECIDERS = [_notify, _policy, _shredding, _legal_hold, _withholding, _recusal]


@pytest.mark.parametrize("decides", DECIDERS)
@pytest.mark.parametrize("other", ONE_AND_THE_SAME.values(), ids=ONE_AND_THE_SAME)
def test_nobody_approves_their_own_by_writing_their_name_otherwise(
    decides: Callable[[str], object], other: str
) -> None:
    assert decides(other) is None
    assert decides("checker@example.test") is not None


REASONED: list[tuple[type[BaseModel], str, dict[str, Any]]] = [
    (controls.HaltIn, "reason", {"everything": True}),
    (controls.LiftIn, "reason", {}),
    (directory_schemas.DirectoryProposalIn, "reason", {"changes": [{}]}),
    (directory_schemas.DecisionIn, "decision", {}),
    (enrolment.GoLiveIn, "reason", {}),
    (oncall.RosterIn, "reason", {}),
    (RulesIn, "reason", {"rules": "x"}),
    (policy_schemas.ProposalIn, "reason", {"text": "x"}),
    (policy_schemas.DecisionIn, "decision", {}),
]


@pytest.mark.parametrize(("body", "field", "rest"), REASONED)
@pytest.mark.parametrize("blank", BLANK.values(), ids=BLANK)
def test_a_reason_that_nobody_can_read_is_refused_where_it_stands(
    body: type[BaseModel], field: str, rest: dict[str, Any], blank: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        body.model_validate({**rest, field: blank})
    assert (field,) in [error["loc"] for error in refused.value.errors()]


@pytest.mark.parametrize("blank", BLANK.values(), ids=BLANK)
def test_nor_does_a_command_take_one(blank: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        typed_reason(blank)
    assert typed_reason(" a drill ") == "a drill"
