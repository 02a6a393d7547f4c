"""When to try again, and when to leave an agency in peace. Pure; it never gives up."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from services.notify.delivery.outcomes import Answered, NotSent, Obstacle, Outcome, Unknown

FIRST_DELAY = timedelta(seconds=0.5)
LONGEST_DELAY = timedelta(seconds=300)
MOST_JITTER = 0.2
LONGEST_RETRY_AFTER = timedelta(hours=1)
"""A partner may ask for time, but not for silence."""

TRIP_AFTER = 5
FIRST_HOLD = timedelta(seconds=1)
LONGEST_HOLD = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Delivered:
    """The recipient has it."""


@dataclass(frozen=True, slots=True)
class Superseded:
    """A later version takes its place: never retried."""


@dataclass(frozen=True, slots=True)
class RetryAt:
    when: datetime


Next = Delivered | Superseded | RetryAt


def after_attempt(
    outcome: Outcome,
    *,
    delivered: bool,
    superseded: bool,
    attempts: int,
    now: datetime,
    luck: float,
) -> Next:
    """What becomes of a delivery whose attempt has ended.

    `delivered`: a 2xx of this or an earlier attempt is on record. `attempts` counts this one.
    `luck` in 0…1 spreads retries, upward only.
    """
    if delivered:
        return Delivered()
    if superseded:
        return Superseded()
    return RetryAt(now + max(delay(attempts, luck), asked_for(outcome)))


def delay(attempts: int, luck: float) -> timedelta:
    """0.5 s after the first attempt, doubling to 300 s, and up to a fifth more by luck."""
    doubled = FIRST_DELAY * (1 << min(attempts - 1, 20))
    return min(doubled, LONGEST_DELAY) * (1 + MOST_JITTER * luck)


def asked_for(outcome: Outcome) -> timedelta:
    """The wait that the agency asked for: a floor, of one hour at most."""
    match outcome:
        case Answered(retry_after=float() | int() as seconds):
            longest = LONGEST_RETRY_AFTER.total_seconds()
            return timedelta(seconds=min(max(0.0, seconds), longest))
        case Answered() | NotSent() | Unknown():
            return timedelta(0)
        case _:
            assert_never(outcome)


@dataclass(frozen=True, slots=True)
class Breaker:
    """What an agency's row knows of its health.

    Tripped by failures in a row, it holds the agency until `hold_until`; then one delivery
    probes: a success closes it, a failure holds twice as long, to 60 s. Nothing is dropped.
    """

    failures: int = 0
    hold_until: datetime | None = None

    @property
    def tripped(self) -> bool:
        return self.failures >= TRIP_AFTER


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one attempt says about its agency. A probe is the one sent to try a tripped breaker."""

    healthy: bool
    probe: bool


def verdict(outcome: Outcome, probe: bool) -> Verdict | None:
    """None when the outcome says nothing about the agency, only about us."""
    match outcome:
        case Answered():
            return Verdict(outcome.accepted, probe)
        case NotSent(obstacle=Obstacle.UNREACHABLE | Obstacle.UNTRUSTED | Obstacle.EGRESS_REFUSED):
            return Verdict(False, probe)
        case Unknown(ours=False):
            return Verdict(False, probe)
        case NotSent() | Unknown():
            return None
        case _:
            assert_never(outcome)


def judge(breaker: Breaker, verdicts: Iterable[Verdict], now: datetime) -> Breaker:
    """The breaker after these attempts, in the order they ended.

    Once it has tripped only probes count: what was in flight when it tripped adds nothing.
    """
    for each in verdicts:
        if each.healthy:
            breaker = Breaker()
        elif not breaker.tripped or each.probe:
            breaker = replace(breaker, failures=breaker.failures + 1)
            if breaker.tripped:
                breaker = replace(breaker, hold_until=now + _hold(breaker.failures))
    return breaker


def _hold(failures: int) -> timedelta:
    doubled = FIRST_HOLD * (1 << min(failures - TRIP_AFTER, 20))
    return min(doubled, LONGEST_HOLD)
