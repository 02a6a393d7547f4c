"""How one attempt to deliver ended. Any HTTP status counts as disclosed (P2)."""

from dataclasses import dataclass
from enum import StrEnum


class Obstacle(StrEnum):
    """Why not one byte of HTTP was written."""

    UNREACHABLE = "unreachable"
    """No connection came about: name, route, refusal, TLS, or time."""
    UNTRUSTED = "untrusted"
    """Somebody answers there whose certificate is not to be trusted: authority, name, end, pin."""
    EGRESS_REFUSED = "egress_refused"
    """The endpoint is none that may be sent to, or leads where this agency's record forbids."""
    BAD_TRANSPORT = "bad_transport"
    """The authorities, pins or certificate of ours that its record names cannot be used."""
    BAD_CHANNEL = "bad_channel"
    """Its record names a channel that this release does not know. Nothing is attempted."""
    UNREADABLE = "unreadable"
    """The notice holds a word that this release does not know. Nothing is attempted."""
    UNSEALABLE = "unsealable"
    """Our own sealed copy does not open."""
    BAD_KEY = "bad_key"
    """The agency's record holds a key that cannot be encrypted to."""
    KEY_EXPIRED = "key_expired"
    """The agency's key has ended by its own `exp`: who can open it now, nobody knows."""
    NO_MAIL = "no_mail"
    """It is told by mail, and we have no relay to hand mail in at."""
    INTERRUPTED = "interrupted"
    """We stopped, or were too late, before we connected."""

    @property
    def needs_person(self) -> bool:
        """Trying again mends nothing until somebody corrects a record."""
        return self not in (Obstacle.UNREACHABLE, Obstacle.INTERRUPTED)


@dataclass(frozen=True, slots=True)
class NotSent:
    """Not one byte of HTTP was written: nothing was disclosed."""

    obstacle: Obstacle


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may have been sent; nobody can say. Counts as disclosed.

    `ours`: we broke it off or died; it says nothing about the agency.
    """

    ours: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """A status came back, of HTTP or, by mail, of SMTP: 2xx says yes in both. `retry_after` in
    seconds, when the agency asked for it."""

    status: int
    retry_after: float | None = None

    @property
    def accepted(self) -> bool:
        return 200 <= self.status <= 299


Outcome = NotSent | Unknown | Answered
