"""A pointer that arrived meets no duty."""

from datetime import UTC, datetime

import pytest

from services.deadlines.facts import FactKind
from shared.contracts.codes import Channel
from tests.support.deadlines import delivered, facts

AT = datetime(2026, 3, 3, 14, 0, tzinfo=UTC)


@pytest.mark.parametrize("channel", [Channel.PICKUP, Channel.EMAIL])
def test_p6_a_pointer_that_arrived_is_no_delivery(channel: Channel) -> None:
    told = delivered("a", AT)
    pointer = told.notices[0].model_copy(update={"channel": channel})
    both = told.model_copy(update={"notices": (pointer, *told.notices)})
    assert [each.kind for each in facts(both)] == [FactKind.POINTED, FactKind.DELIVERED]
