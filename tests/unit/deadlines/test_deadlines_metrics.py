"""The metrics that alert rules watch begin where a rule can see them change."""

import math
import subprocess
import sys

import pytest
from prometheus_client import REGISTRY

from services.deadlines.book import PolicyBook
from services.deadlines.keeper import Keeper
from services.deadlines.models import OUTBOX
from services.deadlines.policy_files import load
from shared.contracts.base import Source
from shared.messaging.outbox import Outbox

COUNTED = ("breaches", "corrections", "warnings")


def counts(policy: str) -> list[float | None]:
    """`increase()` of a series that begins at 1 is zero: the first breach would page nobody."""
    return [
        REGISTRY.get_sample_value(f"hartline_deadlines_{what}_total", {"policy": policy})
        for what in COUNTED
    ]


def test_every_policy_is_counted_from_zero_before_its_first_breach() -> None:
    le12 = next(policy for policy in load() if policy.policy == "le12")
    begun, changed = (le12.model_copy(update={"policy": name}) for name in ("begun", "changed"))
    keeper = Keeper(PolicyBook([begun]), Outbox(OUTBOX, Source.DEADLINES))
    assert counts("begun") == [0, 0, 0]
    assert counts("changed") == [None, None, None]
    keeper.use(PolicyBook([changed], used=[begun]))
    assert counts("changed") == [0, 0, 0]


@pytest.mark.parametrize("name", ["CALENDAR_ENDS", "NEXT_DUE"])
def test_a_process_that_knows_no_calendar_and_no_clock_says_so(name: str) -> None:
    """And not 0, which is a calendar at its end, in a process that has none."""
    code = f"from shared.runtime import metrics; print(metrics.{name}._value.get())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert math.isnan(float(said.stdout))
