"""What a page says, and the port through which one goes out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

SECONDS = 10.0
"""All of one page, from the first look-up to the pager's answer."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """A task as a page tells of it: its kind, its desk, its age, a link, and the page of the
    runbook. Nothing of anybody (P5)."""

    task_id: str
    kind: str
    since: datetime
    round: int
    link: str
    runbook: str
    desk: str | None = None

    def minutes(self, now: datetime) -> int:
        return int((now - self.since).total_seconds() // 60)


class PagerFailed(Exception):
    """The page was not taken. The text is an error's class, never what somebody answered."""


class Pager(Protocol):
    async def page(self, to: str, alarms: Sequence[Alarm], now: datetime) -> None:
        """One page about all of these. Raises PagerFailed, within SECONDS."""


def sentence(alarm: Alarm, now: datetime) -> str:
    whose = f" for {alarm.desk}" if alarm.desk else ""
    return (
        f"Hartline: a task of kind {alarm.kind}{whose} {_age(alarm.minutes(now))}: "
        f"{alarm.task_id}. See {alarm.runbook}"
    )


def _age(minutes: int) -> str:
    if minutes < 1:
        return "has just come in, for somebody to acknowledge"
    waited = f"{minutes} minute{'' if minutes == 1 else 's'}"
    return f"has waited {waited} for somebody to acknowledge it"
