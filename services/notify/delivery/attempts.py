"""An attempt from its claim to its end, and what its end makes of the delivery. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from services.notify.delivery.channels import POINTERS
from services.notify.delivery.outcomes import Answered, NotSent, Outcome, Unknown
from services.notify.delivery.retry import Delivered, RetryAt, Superseded, Verdict, after_attempt
from services.notify.planning.plan import DeliveryState
from shared.contracts.codes import Channel, Role
from shared.runtime.sealing import WrappedKey

DELIVER_WAKE = "deliver"
"""Wakes the deliver role: there may be something due."""


@dataclass(frozen=True, slots=True)
class SealedCopy:
    """A child's copy as it lies in the database."""

    key: WrappedKey
    version: int
    profile: str
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt whose record is committed and which may now be made (P2).

    `retry`: which of the agency's slots it takes. `probe`: it tries a tripped breaker.
    """

    disclosure_id: str
    notice_id: str
    referral_id: str
    referral_number: str
    child_id: str
    agency_id: str
    role: Role
    version: int
    kind: str
    supersedes: int | None
    trigger: str
    received_at: datetime
    planned_at: datetime
    authority: str
    purpose: str
    copy: SealedCopy | None
    endpoint: str
    public_key: Mapping[str, object]
    allowed_networks: tuple[str, ...]
    retry: bool
    probe: bool
    strained: bool
    """The agency has failed lately: its next success must be written down."""
    agency_name: str | None = None
    form: str = "dcf_737"
    revision: int = 0
    cause: str | None = None
    recalls: str | None = None
    relates: tuple[str, str] | None = None
    """Of a related notice: the number that it names, and the relation."""
    part: SealedCopy | None = None
    """What its kind is about, when that is personal: an incident, a consult's outcome."""
    before: SealedCopy | None = None
    """The copy that a correction takes the place of."""
    channel: Channel = Channel.ENCRYPTED
    email: str | None = None
    secrets: tuple[bytes, ...] = ()
    """Sealed `whsec_` secrets to sign with as well, the newest first."""
    agency_kind: str = ""
    """For metrics alone, as in `Ended`."""
    limited: bool = False
    """Its agency has a limit: another may be waiting for its place."""
    traceparent: str | None = None
    """Of its notice's plan, where that is traced. Never sent."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How an attempt ended, and what that says about its agency, if anything."""

    disclosure_id: str
    notice_id: str
    agency_id: str
    outcome: Outcome
    at: datetime
    verdict: Verdict | None = None
    strained: bool = False
    channel: Channel = Channel.ENCRYPTED
    agency_kind: str = ""
    trace: tuple[str, str] | None = None
    """Its referral and what follows it in a trace, where it is traced."""

    @property
    def fact(self) -> str:
        """As in `disclosure_outcomes.outcome`."""
        match self.outcome:
            case Answered():
                return "completed"
            case NotSent():
                return "failed"
            case Unknown():
                return "unknown"
            case _:
                assert_never(self.outcome)

    @property
    def http_status(self) -> int | None:
        return self.outcome.status if isinstance(self.outcome, Answered) else None

    @property
    def obstacle(self) -> str | None:
        return self.outcome.obstacle.value if isinstance(self.outcome, NotSent) else None

    @property
    def accepted(self) -> bool:
        return isinstance(self.outcome, Answered) and self.outcome.accepted

    @property
    def result(self) -> str:
        """As metrics and traces name it: accepted, rejected, not_sent or unknown."""
        if self.fact == "completed":
            return "accepted" if self.accepted else "rejected"
        return "not_sent" if self.fact == "failed" else "unknown"


@dataclass(frozen=True, slots=True)
class Standing:
    """A delivery as its row says, locked."""

    notice_id: str
    referral_id: str
    child_id: str
    agency_id: str
    role: str
    """As stored: of a word of a later release only what names it cannot be told."""
    version: int
    state: DeliveryState
    attempts: int
    superseded_by: int | None
    open_disclosure_id: str | None
    next_attempt_at: datetime | None
    delivered_at: datetime | None
    ended_at: datetime | None
    withdrawn: bool = False
    delivered_by: Channel = Channel.ENCRYPTED
    """By which channel the first 2xx came, where that is news."""
    opened: bool = False
    """Somebody has read it in the mailbox, or was told it by telephone."""

    def is_open(self, disclosure_id: str) -> bool:
        """Whether that very attempt is the one under way."""
        return self.state is DeliveryState.ATTEMPTING and self.open_disclosure_id == disclosure_id


def adds_something(standing: Standing, ended: Ended) -> bool:
    """Whether it is a fact to record. `Unknown` about an attempt that is over tells nothing."""
    return not isinstance(ended.outcome, Unknown) or standing.is_open(ended.disclosure_id)


def settle(standing: Standing, ended: Ended, now: datetime, luck: float) -> Standing:
    """The delivery after an attempt of it has ended, on time or late.

    A late answer never ends another attempt that is still open, lest a later version overtake it
    (P8); but a late 2xx counts from its own time (P6) and needs no further attempt.
    """
    if ended.accepted and standing.delivered_at is None:
        standing = replace(standing, delivered_at=ended.at, delivered_by=ended.channel)
    if standing.is_open(ended.disclosure_id):
        return _close(standing, ended, now, luck)
    over = _OVER_UNREAD if _tells_nothing(standing, ended) else (DeliveryState.CLOSED,)
    if ended.accepted and standing.state not in (DeliveryState.ATTEMPTING, *over):
        return _finish(standing, DeliveryState.DELIVERED, now)
    return standing


_OVER_UNREAD = (
    DeliveryState.CLOSED,
    DeliveryState.SUPERSEDED,
    DeliveryState.WITHDRAWN,
    DeliveryState.REFUSED,
)
"""No pointer that arrives afterwards puts it back into a mailbox."""


def _tells_nothing(standing: Standing, ended: Ended) -> bool:
    """A pointer to what nobody has read: its arrival keeps nothing from being stopped."""
    return ended.channel in POINTERS and not standing.opened


def _close(standing: Standing, ended: Ended, now: datetime, luck: float) -> Standing:
    stopped = standing.superseded_by is not None or standing.withdrawn
    following = after_attempt(
        ended.outcome,
        delivered=standing.delivered_at is not None
        and not (stopped and _tells_nothing(standing, ended)),
        superseded=stopped,
        attempts=standing.attempts,
        now=now,
        luck=luck,
    )
    match following:
        case Delivered():
            return _finish(standing, DeliveryState.DELIVERED, now)
        case Superseded():
            over = DeliveryState.WITHDRAWN if standing.withdrawn else DeliveryState.SUPERSEDED
            return _finish(standing, over, now)
        case RetryAt(when=when):
            return replace(
                standing,
                state=DeliveryState.PENDING,
                open_disclosure_id=None,
                next_attempt_at=when,
            )
        case _:
            assert_never(following)


def _finish(standing: Standing, state: DeliveryState, now: datetime) -> Standing:
    return replace(
        standing, state=state, open_disclosure_id=None, next_attempt_at=None, ended_at=now
    )
