"""The smaller rules: scales, triage, flagged cases, embargo, the placement gate, repatriation."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.hart import cases, triage
from services.intake.hart.cases import Flag, Joins, Raises, unreported
from services.intake.hart.scale import load_scales
from services.intake.hart.triage import Item, Reviews, Stale, Unread
from services.intake.operations import embargo
from services.intake.operations.embargo import Hidden, Kept, Operation, OutOfTime, Shown
from services.intake.placements import gate
from services.intake.placements.gate import (
    Confirmed,
    Confirms,
    Determination,
    Finding,
    Implicated,
    NotTold,
    Permits,
    Refuses,
)
from shared.runtime.errors import Misconfigured

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_the_shipped_scale_is_marked_as_ours() -> None:
    scales = load_scales()
    served = scales.describe()
    assert served["origin"] == "Hartline's own default, not DCF's"
    assert [level["code"] for level in served["levels"]] == [
        "not_indicated", "at_risk", "high_risk", "highly_suspected", "confirmed", "undetermined",
    ]  # fmt: skip
    assert [level["code"] for level in served["levels"] if level["identifies"]] == ["confirmed"]
    assert scales.level("confirmed")
    assert scales.level("unheard_of") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "current: b\nscales: {a: {origin: x, levels: [{code: a, words: x, identifies: true}, "
        "{code: b, words: x}]}}",
        "current: a\nscales: {a: {origin: x, levels: [{code: a, words: x}, {code: b, words: x}]}}",
        "current: a\nscales: {a: {origin: x, levels: [{code: a, words: x, identifies: true}, "
        "{code: a, words: x}]}}",
        "current: a\nscales: {a: {origin: x, levels: [{code: A B, words: x}]}}",
    ],
)
def test_a_scale_that_cannot_be_used_stops_the_start(tmp_path: Path, text: str) -> None:
    path = tmp_path / "scale.yaml"
    path.write_text(text)
    with pytest.raises(Misconfigured):
        load_scales(path)


def test_a_review_counts_for_the_version_that_its_reviewer_has_read() -> None:
    assert triage.review(Item(current=2, reviewed=2, read=True)) == Reviews()
    assert triage.review(Item(current=2, reviewed=1, read=True)) == Stale()
    assert triage.review(Item(current=2, reviewed=2, read=False)) == Unread()


def test_flagging_a_case_again_joins_the_flag_that_waits() -> None:
    assert cases.flag(None) == Raises()
    assert cases.flag(Flag("flg", NOON)) == Joins("flg")
    assert cases.flag(Flag("flg", NOON, linked=True)) == Raises()


def test_a_flagged_case_without_a_referral_is_found_after_the_patience_and_once() -> None:
    flags = [
        Flag("due", NOON),
        Flag("new", NOON + HOUR),
        Flag("linked", NOON, linked=True),
        Flag("found", NOON, found=True),
    ]
    assert unreported(flags, NOON + 24 * HOUR, 24 * HOUR) == [Flag("due", NOON)]
    assert unreported(flags, NOON + 24 * HOUR - timedelta(seconds=1), 24 * HOUR) == []


def test_c28_an_operation_is_shown_to_the_named_until_it_is_over() -> None:
    operation = Operation({"administrator"}, NOON)
    before = NOON - HOUR
    assert embargo.show(operation, "administrator", person=True, now=before) == Shown()
    assert embargo.show(operation, "another", person=True, now=before) == Hidden()
    assert embargo.show(operation, "administrator", person=False, now=before) == Hidden()
    assert embargo.show(operation, "administrator", person=True, now=NOON) == Hidden()


@given(st.integers(-5000, 5000), st.booleans(), st.sampled_from(["administrator", "another"]))
def test_c28_an_operation_is_never_both_shown_and_counted(
    minutes: int, person: bool, caller: str
) -> None:
    now = NOON + timedelta(minutes=minutes)
    shown = embargo.show(Operation({"administrator"}, NOON), caller, person=person, now=now)
    assert not (isinstance(shown, Shown) and embargo.over(NOON, now))


def test_c28_every_operation_ends() -> None:
    assert embargo.end(NOON, NOON) == Kept()
    assert embargo.end(NOON + embargo.LONGEST, NOON) == Kept()
    assert embargo.end(NOON - HOUR, NOON) == OutOfTime()
    assert embargo.end(NOON + embargo.LONGEST + HOUR, NOON) == OutOfTime()


def test_a_placement_is_confirmed_when_the_facility_was_told_of_the_victim_status() -> None:
    assert gate.confirm([], implicated=False, confirmed=False) == NotTold()
    assert gate.confirm(["name"], implicated=False, confirmed=False) == NotTold()
    told = ["name", "victim_status"]
    assert gate.confirm(told, implicated=False, confirmed=False) == Confirms()
    assert gate.confirm(told, implicated=False, confirmed=True) == Confirmed()


def test_c18_no_child_is_placed_in_a_facility_that_is_implicated() -> None:
    assert gate.confirm(["victim_status"], implicated=True, confirmed=False) == Implicated()


BEST, SAFE = Finding.BEST_INTEREST, Finding.NO_RETRAFFICKING_RISK


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ([], Refuses((BEST, SAFE), ())),
        ([(BEST, True)], Refuses((SAFE,), ())),
        ([(BEST, True), (BEST, True)], Refuses((SAFE,), ())),
        ([(BEST, True), (SAFE, False)], Refuses((), (SAFE,))),
        ([(BEST, True), (SAFE, True)], Permits()),
        ([(SAFE, True), (BEST, True), (SAFE, False)], Refuses((), (SAFE,))),
        ([(SAFE, False), (BEST, True), (SAFE, True)], Permits()),
    ],
)
def test_c27_repatriation_needs_both_determinations_and_the_latest_counts(
    made: list[tuple[Finding, bool]], expected: Permits | Refuses
) -> None:
    assert gate.repatriate(Determination(*each) for each in made) == expected
