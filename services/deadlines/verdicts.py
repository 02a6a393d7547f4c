"""When a clock must be looked at, and what is then decided (P6). Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.deadlines.sla import Standing

SETTLE = timedelta(milliseconds=250)
"""How long a fact may take from happening to being committed by the service that saw it."""
PATIENCE = timedelta(minutes=2)
"""How long a breach may wait for facts that are still on their way."""
RECHECK = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing will happen to this clock by itself."""


@dataclass(frozen=True, slots=True)
class LookAgain:
    """Too early to say. `since`: since when the breach has been waiting for facts, if it is."""

    at: datetime
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Warn:
    """The time of these warnings (minutes before due) has come, and the duty is not met. Only the
    shortest is said; looking is to go on at `at`."""

    warnings: frozenset[int]
    at: datetime


@dataclass(frozen=True, slots=True)
class Breach:
    """The clock ran out, at its due time."""


Verdict = Rest | LookAgain | Warn | Breach


@dataclass(frozen=True, slots=True)
class Evidence:
    """What we know of facts that have not reached us.

    `complete_until`: every event of those who state such facts up to then has left them; null when
    one of them cannot be asked.
    `unfinished`: something about this referral is known to be under way.
    """

    complete_until: datetime | None
    unfinished: bool


def look_at(
    standing: Standing, breached_at: datetime | None, warnings: Collection[int] = ()
) -> datetime | None:
    """When the sweeper must look at a clock; None when nothing will come of looking.

    `warnings`: those that are still to be said, in minutes before the due time.
    """
    if breached_at is not None or standing.in_time:
        return None
    if warnings:
        return standing.due_at - max(warnings) * MINUTE
    return standing.due_at + SETTLE


def look(
    standing: Standing,
    breached_at: datetime | None,
    since: datetime | None,
    evidence: Evidence,
    now: datetime,
    warnings: Collection[int] = (),
) -> Verdict:
    """What to do about a clock whose time to look has come.

    A breach waits while facts dated up to the due time may be on their way, and no longer than
    PATIENCE after due, or after it was first found overdue (`since`; one that has not come yet is
    a jumping clock's, and no moment). A warning waits for nothing, and is not said once the time
    is over.
    """
    first = look_at(standing, breached_at)
    if first is None:
        return Rest()
    if now < first:
        come = {each for each in warnings if now >= standing.due_at - each * MINUTE}
        later = look_at(standing, breached_at, set(warnings) - come)
        assert later is not None
        if come and now < standing.due_at:
            return Warn(frozenset(come), later)
        return LookAgain(first if come else later, None)
    if since is None or since > now:
        since = max(standing.due_at, now - SETTLE)
    if _all_here(evidence, first) or now >= since + PATIENCE:
        return Breach()
    return LookAgain(min(now + max(RECHECK, (now - since) / 8), since + PATIENCE), since)


def _all_here(evidence: Evidence, moment: datetime) -> bool:
    until = evidence.complete_until
    return until is not None and until >= moment and not evidence.unfinished
