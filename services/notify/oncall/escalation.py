"""Whom to page about a task now, or when to look again. Pure.

Every 15 minutes the next person in the order, round and round, until a named person acknowledges.
Nobody on call, or a page that did not get through: the fallback, at once.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.notify.oncall.roster import Duty, Roster

EVERY = timedelta(minutes=15)
AGAIN_AFTER_FAILURE = timedelta(minutes=1)
OPERATIONS = "operations"
"""The last fallback: what the settings name, when no roster does. No person of a roster."""


class PageOutcome(StrEnum):
    TAKEN = "taken"
    """A pager has accepted it. That it was read, only an acknowledgement says."""
    FAILED = "failed"
    LOST = "lost"
    """Whoever was sending it died: it may have gone out, and is not sent again."""


@dataclass(frozen=True, slots=True)
class Page:
    """One that was claimed. `outcome` None: it is being sent."""

    round: int
    person: str
    claimed_at: datetime
    outcome: PageOutcome | None


@dataclass(frozen=True, slots=True)
class PageNow:
    """`nobody`: nobody was on call, so it goes to the fallback."""

    person: str
    nobody: bool = False


@dataclass(frozen=True, slots=True)
class WaitUntil:
    when: datetime


Step = PageNow | WaitUntil


def next_step(
    roster: Roster, duty: Duty, pages: Sequence[Page], now: datetime, *, operations: bool = True
) -> Step:
    """What to do about an unacknowledged task whose `pages` were claimed so far, in order.
    `operations`: whether the settings name a last fallback.

    1. What is being sent ends first: within its lease it is taken, failed or lost.
    2. After a page that did not get through, the fallback at once, each of them once.
    3. Otherwise 15 minutes after the last; whoever was paged least is next, in the order of those
       on call now, so that a new shift is paged before the old one is paged again.
    """
    last = pages[-1] if pages else None
    if last is not None and last.outcome is None:
        return WaitUntil(now + AGAIN_AFTER_FAILURE)
    fallback = roster.fallbacks()
    if operations or not fallback:
        fallback = (*fallback, OPERATIONS)
    times = Counter(each.person for each in pages)
    if last is not None and last.outcome is not PageOutcome.TAKEN:
        unpaged = [person for person in fallback if not times[person]]
        if unpaged:
            return PageNow(unpaged[0])
        due = last.claimed_at + AGAIN_AFTER_FAILURE
    else:
        due = now if last is None else last.claimed_at + EVERY
    if due > now:
        return WaitUntil(due)
    return _page(roster, duty, times, fallback, now)


def _page(
    roster: Roster, duty: Duty, times: Counter[str], fallback: Sequence[str], now: datetime
) -> Step:
    on_call = roster.on_call(duty.role, now)
    if not on_call and not duty.urgent:
        hours = roster.next_hours(duty.role, now)
        if hours is not None:
            return WaitUntil(hours)
    order = (*on_call, *(person for person in fallback if person not in on_call))
    person = min(order, key=lambda each: (times[each], order.index(each)))
    return PageNow(person, nobody=not on_call)
