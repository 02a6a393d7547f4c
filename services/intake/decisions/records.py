"""What the store of decisions reads and writes, without SQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.intake.decisions.rules import Known
from shared.runtime.sealing import WrappedKey


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision; the last one holds."""

    referral_id: str
    decision: int
    outcome: str
    reasons: Sequence[str]
    version: int
    decided_at: datetime
    recorded_at: datetime
    decided_by: str


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """That a referral is withdrawn, and why."""

    referral_id: str
    cause: str
    version: int
    recorded_at: datetime
    withdrawn_by: str


@dataclass(frozen=True, slots=True)
class Link:
    """One referral is related to another."""

    link_id: str
    referral_id: str
    related_referral_id: str
    relation: str
    recorded_at: datetime
    linked_by: str


@dataclass(frozen=True, slots=True)
class StoredIncident:
    """An incident with its sealed document and the child's key."""

    known: Known
    referral_id: str
    key: WrappedKey
    sealed: bytes


@dataclass(frozen=True, slots=True)
class IncidentVersion:
    """One version of an incident, as it is written."""

    incident_id: str
    version: int
    standing: str
    decision: int
    recorded_at: datetime
    recorded_by: str
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Explanation:
    """A reason in words, sealed for one child."""

    child_id: str
    about: str
    sealed: bytes


@dataclass(frozen=True, slots=True)
class File:
    """How a referral stands: its decisions, oldest first, its incidents, whether withdrawn."""

    decisions: Sequence[Decision]
    incidents: Sequence[Known]
    withdrawal: Withdrawal | None
