"""What a page says of a task's age."""

from datetime import UTC, datetime, timedelta

import pytest

from services.notify.oncall.pager import Alarm, sentence

NOW = datetime(2026, 3, 3, 17, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "of kind held has just come in, for somebody to acknowledge: tsk_1."),
        (60, "has waited 1 minute for somebody to acknowledge it: tsk_1."),
        (185, "has waited 3 minutes for"),
    ],
)
def test_a_page_says_how_long_its_task_has_waited(seconds: int, said: str) -> None:
    since = NOW - timedelta(seconds=seconds)
    alarm = Alarm("tsk_1", "held", since, 1, "https://console.test/tasks/tsk_1", "docs/runbook.md")
    assert said in sentence(alarm, NOW)
