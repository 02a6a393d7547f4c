"""What a policy would have made of the past, of the children that it touches."""

from collections import Counter

import pytest

from services.deadlines.book import PolicyBook
from services.deadlines.policy_files import load
from services.deadlines.story import Story
from services.deadlines.what_if import Difference, count, difference
from shared.contracts.codes import HtType
from tests.support.deadlines import CHILD, HOUR, RECEIVED, facts, opaque, planned, received

POLICIES = {policy.policy: policy for policy in load()}
BOOK = PolicyBook(POLICIES.values())
OTHER_CHILD = opaque("chd", 2)


def asked(name: str, children: dict[str, HtType]) -> Difference:
    """Of a referral about which nobody was told anything in time."""
    counts: Counter[str] = Counter()
    proposed = POLICIES[name].model_copy(update={"version": "2027-1"})
    story = Story(facts(received(children=children), planned("A")))
    count(proposed, BOOK, story, RECEIVED + 100 * HOUR, counts)
    return difference(counts)


@pytest.mark.parametrize("name", ["le12", "le12_labor"])
def test_children_that_a_policy_does_not_touch_are_not_counted(name: str) -> None:
    both = {CHILD: HtType.LABOR, OTHER_CHILD: HtType.SEX}
    found = asked(name, both)
    assert (found.clocks, found.missed, found.clocks_now, found.missed_now) == (1, 1, 1, 1)
    assert (found.newly_missed, found.no_longer_missed, found.referrals) == (0, 0, 1)


def test_of_a_referral_that_it_does_not_touch_nothing_is_counted_but_that_it_was_asked() -> None:
    found = asked("le12", {CHILD: HtType.LABOR})
    assert (found.clocks, found.clocks_now, found.no_longer_missed, found.referrals) == (0, 0, 0, 1)
