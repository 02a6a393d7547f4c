"""What audit says of the comparison of its record with what was done."""

from datetime import UTC, datetime, timedelta

import pytest

from services.audit.check import of_reconciliation
from shared.runtime.findings import Level

NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("minutes", "level"), [(None, Level.WELL), (3, Level.WELL), (60, Level.WELL), (61, Level.LOOK)]
)
def test_nothing_compared_is_a_finding_when_the_log_is_an_hour_old(
    minutes: int | None, level: Level
) -> None:
    first = None if minutes is None else NOW - timedelta(minutes=minutes)
    (found,) = of_reconciliation(None, {}, first, NOW)
    assert found.level is level
    assert "Nothing has been compared yet" in found.says


def test_what_was_once_compared_must_be_again_and_what_differs_is_always_said() -> None:
    long_ago, began = NOW - timedelta(hours=3), NOW - timedelta(days=9)
    assert of_reconciliation(NOW, {}, began, NOW)[0].level is Level.WELL
    assert of_reconciliation(long_ago, {}, began, NOW)[0].level is Level.ACT
    assert of_reconciliation(None, {"attempt_without_entry": 1}, NOW, NOW)[0].level is Level.ACT
