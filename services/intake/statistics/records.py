"""What the stores of the statistics read and write: rows, without SQL."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from services.intake.records import StoredChild
from services.intake.statistics.facts import Facts
from services.intake.statistics.tables import Table


@dataclass(frozen=True, slots=True)
class Pending:
    """A referral whose current version has not been tallied, or that must be tallied again."""

    referral_id: str
    version: int
    synthetic: bool
    received_at: datetime
    child_ids: Sequence[str]
    children: Sequence[StoredChild]
    """Those of its children that have a document and a key."""
    again: bool
    """Whether only its standing has changed since."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a referral stands, beside what its documents say."""

    excluded: str | None = None
    """Why it counts in no table: entered_in_error, embargoed; None if it counts."""
    persons: dict[str, str] = field(default_factory=dict)
    """By child id, the person whom somebody confirmed that child to be."""
    identified: frozenset[str] = frozenset()
    """Children whom a Decision Map confirmed as victims."""


@dataclass(frozen=True, slots=True)
class Tallied:
    """A row of coded facts with its pseudonyms."""

    child: bytes
    referral: bytes
    person: bytes
    facts: Facts


class Reason(StrEnum):
    """Why a release is made. A code, because a sentence could name somebody."""

    YEARLY = "yearly"
    LATE_REFERRALS = "late_referrals"
    CORRECTED_FACTS = "corrected_facts"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Release:
    """A frozen release. `withheld` is None where it was held back: nothing of it is public."""

    number: int
    year: int
    made_at: datetime
    made_by: str
    reason: Reason
    tables: tuple[Table, ...]
    withheld: frozenset[str] | None
    through_change: int


class ExportKind(StrEnum):
    """What is exported; each has its recipient's purpose and its authority (exporting.py)."""

    NCANDS_YEARLY = "ncands_yearly"
    HART_MONTHLY = "hart_monthly"


class Format(StrEnum):
    JSON = "json"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class Export:
    """Asked for by one person; of use once another has approved it, and for a day."""

    export_id: str
    kind: ExportKind
    year: int
    month: int | None
    format: Format
    asked_by: str
    asked_at: datetime
    approved_by: str | None = None
    approved_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Disclosure:
    """An answer with exact figures, recorded before its first byte (P2)."""

    disclosure_id: str
    export_id: str
    kind: str
    actor: str
    actor_kind: str
    approved_by: str | None
    authority: str
    purpose: str
    tables: Sequence[str]
    commitment: str
    exported_at: datetime
