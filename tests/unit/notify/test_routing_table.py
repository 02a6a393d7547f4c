"""docs/routing.md says what the rules and the tests say, and nothing is left out of it."""

import pytest

from services.notify.routing.rulebook import load_rulebook
from services.notify.routing.table import ROOT, named_tests, proofs_of
from tests.support import hard_cases

CASES = (1, 2, 3, 4, 5, 6, 7, 8, 13, 16, 17, 18, 24, 25, 26, 27, 28, 34)
"""Those that routing decides."""


def test_the_page_is_current() -> None:
    page = (ROOT / "docs" / "routing.md").read_text(encoding="utf-8")
    assert page == hard_cases.page(), "run: python -m tests.support.hard_cases > docs/routing.md"


@pytest.mark.parametrize("case", CASES)
def test_every_case_that_routing_decides_has_a_test_with_its_number(case: int) -> None:
    assert named_tests().get(f"C{case}")


def test_every_case_that_routing_decides_is_explained_on_the_page() -> None:
    assert {shown.case for shown in hard_cases.CASES} == {f"C{case}" for case in CASES}


def test_no_sentence_about_a_protected_address_names_its_town() -> None:
    (protected,) = (shown for shown in hard_cases.CASES if shown.case == "C25")
    assert protected.children[0].residence_town == "Derby"
    assert not any("Derby" in each for _, each in hard_cases.sentences(protected))


def test_every_rule_has_a_citation_and_a_test() -> None:
    rules = load_rulebook()
    tests = named_tests()
    without = [each.id for each in rules.rules if not proofs_of(each, tests)]
    without += [each.id for each in rules.substitutes if not proofs_of(each, tests)]
    assert without == []
    assert all(rule.citation for rule in rules.rules)


def test_every_case_that_a_rule_names_has_a_test() -> None:
    named = {case for rule in load_rulebook().rules for case in rule.cases}
    assert named <= set(named_tests())
