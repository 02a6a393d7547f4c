"""Sending an agency again what was planned for it in a period. Rules and values; pure.

Only the newest version of each child's notice, and nothing that was withdrawn, superseded or
refused. A notice that was delivered is disclosed again: recorded as an attempt of its own, under
the same webhook-id, so that a receiver that has it drops it.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from services.notify.delivery.channels import channel_of, is_complete
from services.notify.directory.authority import refusal
from services.notify.planning.plan import DeliveryState
from shared.contracts.codes import Channel

MOST_ALONE = 50
"""Notices that one person may have sent again without a second."""
WITHIN = timedelta(hours=24)
"""What began for one agency in that time counts together: in parts it is as many."""
AGAIN = timedelta(seconds=60)
"""Between two tries of one notice that was not accepted again."""


class Left(StrEnum):
    ACCEPTED = "accepted"
    LEFT = "left"
    CANCELLED = "cancelled"


class Sort(StrEnum):
    WAITING = "waiting"
    """It is still to be delivered: it is tried now."""
    DELIVERED = "delivered"
    """It was delivered: sent again, it is disclosed again."""
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Wanted:
    agency_id: str
    planned_from: datetime
    planned_until: datetime
    """Not included."""
    delivered_too: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """How many notices there are of each sort."""

    waiting: int
    delivered: int
    left: int
    delivered_too: bool
    before: int = 0
    """Sent again by one person's word alone, to the same agency and lately."""

    @property
    def listed(self) -> int:
        return self.waiting + (self.delivered if self.delivered_too else 0)

    @property
    def takes_two(self) -> bool:
        return self.listed + self.before > MOST_ALONE


def sort(state: DeliveryState, *, newest: bool, conflicted: bool, lawful: bool) -> Sort:
    """What a redrive would do with a notice. `newest`: no later version of it was planned."""
    if conflicted or not lawful or not newest:
        return Sort.LEFT
    match state:
        case DeliveryState.PENDING | DeliveryState.ATTEMPTING | DeliveryState.BLOCKED:
            return Sort.WAITING
        case DeliveryState.DELIVERED:
            return Sort.DELIVERED
        case _:
            return Sort.LEFT


def lawful(agency: Any, on: date) -> bool:
    """Whether anything may be sent to the agency's row that day (P3); the claim asks again.

    Whom only a person can call is sent nothing, so nothing is sent again.
    """
    ends = [day for day in (agency.authority_to, agency.mou_to) if day is not None]
    by = channel_of(agency.channel)
    complete = is_complete(by, agency.endpoint, agency.encryption_key, agency.email)
    channel = complete and by is not Channel.ORAL
    authority = None if agency.closed else agency.authority
    return refusal(authority, agency.authority_from, min(ends, default=None), channel, on) is None


@dataclass(frozen=True, slots=True)
class Redrive:
    """A job and how far it has come."""

    redrive_id: str
    agency_id: str
    planned_from: datetime
    planned_until: datetime
    delivered_too: bool
    reason: str
    asked_by: str
    proposal_id: str | None
    asked_at: datetime
    listed: int
    finished_at: datetime | None
    cancelled_by: str | None
    accepted: int
    left: int
    open: int


@dataclass(frozen=True, slots=True)
class Started:
    found: Found
    redrive: Redrive


@dataclass(frozen=True, slots=True)
class Looked:
    """A dry run."""

    found: Found


@dataclass(frozen=True, slots=True)
class NeedsApproval:
    found: Found
    proposal_id: str


@dataclass(frozen=True, slots=True)
class NothingToSend:
    found: Found


@dataclass(frozen=True, slots=True)
class NoSuchAgency:
    pass


Outcome = Started | Looked | NeedsApproval | NothingToSend | NoSuchAgency
