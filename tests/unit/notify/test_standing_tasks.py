"""A task says by now that what it is about is over, and never too early."""

from datetime import UTC, datetime

import pytest

from services.notify.tasks.standing_tasks import Paused, Unreached, over

AT = datetime(2026, 11, 26, 11, 30, 29, tzinfo=UTC)


def test_an_agency_that_has_taken_everything_is_over() -> None:
    said = over(Unreached(waiting=0, failing=False, taken_since=AT))
    assert said is not None
    assert "has taken everything since 2026-11-26T11:30:29Z; nothing waits" in said


@pytest.mark.parametrize(
    "standing",
    [
        Unreached(waiting=1, failing=False, taken_since=AT),
        Unreached(waiting=0, failing=True, taken_since=AT),
        Unreached(waiting=0, failing=False, taken_since=None),
        Paused(None),
    ],
)
def test_p9_what_still_waits_or_fails_or_was_never_taken_is_not_over(
    standing: Unreached | Paused,
) -> None:
    assert over(standing) is None


def test_a_halt_that_was_lifted_is_over() -> None:
    said = over(Paused(AT))
    assert said is not None
    assert "lifted at 2026-11-26T11:30:29Z" in said
