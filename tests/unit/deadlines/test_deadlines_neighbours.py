"""What a neighbour's clock is off by, as far as an answer can tell."""

from datetime import timedelta

import pytest

from services.deadlines.neighbours import ahead
from tests.support.deadlines import RECEIVED

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [(-60, -60), (0, 0), (1, 0), (2, 0), (62, 60)],
)
def test_what_the_answers_own_time_explains_is_no_skew(theirs: int, expected: int) -> None:
    found = ahead(RECEIVED + theirs * SECOND, RECEIVED, RECEIVED + 2 * SECOND)
    assert found == expected * SECOND
