"""What stops deliveries: a pause of one agency, a global stop, a restored database. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

HARTLINE = "hartline"
"""`set_by` of a halt that no person has asked for."""


class Cause(StrEnum):
    PAUSE = "pause"
    """One agency's deliveries wait."""
    STOP = "stop"
    """Everybody's."""
    RESTORED = "restored"
    """Everybody's, for the database is older than it was: what it calls due may be done."""


@dataclass(frozen=True, slots=True)
class Halt:
    halt_id: str
    cause: Cause
    agency_id: str | None
    """None: it covers every agency."""
    reason: str
    set_by: str
    set_at: datetime
    lifted_by: str | None = None
    lifted_at: datetime | None = None
    lifted_why: str | None = None

    @property
    def takes_two(self) -> bool:
        """Whether lifting it needs a second person."""
        return self.cause is Cause.RESTORED


@dataclass(frozen=True, slots=True)
class Lifted:
    halt: Halt


@dataclass(frozen=True, slots=True)
class LiftedBefore:
    halt: Halt


@dataclass(frozen=True, slots=True)
class NeedsSecond:
    """One person has asked; it holds until another approves the proposal."""

    proposal_id: str


@dataclass(frozen=True, slots=True)
class NoSuchHalt:
    pass


Lifting = Lifted | LiftedBefore | NeedsSecond | NoSuchHalt
