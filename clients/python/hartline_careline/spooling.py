"""Reporting through the spool: written first, then sent, then removed.

Written before the first attempt, a referral survives a crash at any step; sent again, it carries
the key that it was written with, and Hartline keeps it once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeGuard

from hartline_careline.answers import Referral
from hartline_careline.bodies import NewReferral
from hartline_careline.client import Careline
from hartline_careline.errors import (
    HartlineError,
    NotAllowed,
    NotFound,
    Refused,
    ServerFault,
    Unavailable,
)
from hartline_careline.spool import Entry, Spool, SpoolError, WrongKey


@dataclass(frozen=True, slots=True)
class Kept:
    """Hartline has it."""

    key: str
    referral: Referral


@dataclass(frozen=True, slots=True)
class Waiting:
    """It is in the spool and not at Hartline yet: call `send` again, soon. Clocks are running."""

    key: str
    error: HartlineError


@dataclass(frozen=True, slots=True)
class SetAside:
    """Hartline refuses it, or it does not open: it lies in `aside/` and a person must see to it."""

    key: str
    error: HartlineError


Outcome = Kept | Waiting | SetAside


class Reporting:
    """A client and its spool."""

    def __init__(self, careline: Careline, spool: Spool) -> None:
        self._careline = careline
        self._spool = spool

    def report(self, referral: NewReferral, *, key: str) -> Kept | Waiting:
        """Write it down, then send what waits, in order, this one too.

        Raises Refused when Hartline refuses this very referral: the caller is still on the line,
        so it is theirs to mend and is not kept here.
        """
        mine = self._spool.put(referral, key)
        for entry, outcome in self._drain(mine):
            if entry == mine:
                if isinstance(outcome, SetAside):
                    raise outcome.error
                return outcome
            if _away(outcome):
                return Waiting(key, outcome.error)
        # Another process has sent it: the same key finds the same answer.
        try:
            return Kept(key, self._careline.create(referral, key=key))
        except Unavailable as error:
            return Waiting(key, error)

    def send(self) -> list[Outcome]:
        """Send what waits, the oldest first, until Hartline is away again."""
        return [outcome for _, outcome in self._drain()]

    def _drain(self, mine: Entry | None = None) -> Iterator[tuple[Entry, Outcome]]:
        """One at a time. A fault of Hartline's with one entry leaves it there and goes on."""
        with self._spool.sending():
            for entry in self._spool.waiting():
                outcome = self._one(entry, told=entry == mine)
                yield entry, outcome
                if _away(outcome):
                    return

    def _one(self, entry: Entry, *, told: bool) -> Outcome:
        """`told`: somebody waits for this one's refusal, and it need not be set aside."""
        try:
            kept = self._careline.create(self._spool.read(entry), key=entry.key)
        except (Unavailable, ServerFault, NotAllowed, NotFound) as error:
            return Waiting(entry.key, error)
        except WrongKey:
            raise
        except (Refused, SpoolError) as error:
            if told and isinstance(error, Refused):
                self._spool.remove(entry)
            else:
                self._spool.set_aside(entry)
            return SetAside(entry.key, error)
        self._spool.sent(entry)
        return Kept(entry.key, kept)


def _away(outcome: Outcome) -> TypeGuard[Waiting]:
    """Whether the next one would fare no better."""
    return isinstance(outcome, Waiting) and not isinstance(outcome.error, ServerFault)
