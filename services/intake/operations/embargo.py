"""Who may know of a law-enforcement operation, and until when (policy 21-14; C28). Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

LONGEST = timedelta(days=60)
"""A notice that never ends would be an exception for ever: ours, not the policy's."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What is known without opening the seal: who is named, and when it is over."""

    named: Collection[str]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """The caller is named and the operation is not over."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """For this caller there is no such operation; nor is there, for anybody, once it is over."""


@dataclass(frozen=True, slots=True)
class OutOfTime:
    """It would end in the past, or too far ahead."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The new end stands."""


def show(operation: Operation, caller: str, *, person: bool, now: datetime) -> Shown | Hidden:
    """Default deny: only a natural person who is named, and only while it is under way."""
    named = person and caller in operation.named
    return Shown() if named and not over(operation.expires_at, now) else Hidden()


def over(expires_at: datetime, now: datetime) -> bool:
    """Whether the embargo is lifted: from then on it counts in statistics, and is shown no more."""
    return expires_at <= now


def end(expires_at: datetime, now: datetime) -> Kept | OutOfTime:
    """Whether an operation may end then. `now` itself ends it at once."""
    return Kept() if now <= expires_at <= now + LONGEST else OutOfTime()
