"""Tables of tellings. Who was told lies sealed, under the child's key once there is one."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    Table,
    Text,
    text,
)

from services.notify.models import TIME, metadata

tellings = Table(
    "tellings",
    metadata,
    Column("disclosure_id", Text, ForeignKey("notify.disclosures.disclosure_id"), primary_key=True),
    Column("notice_id", Text, ForeignKey("notify.notices.notice_id"), nullable=False),
    Column("agency_id", Text, nullable=False),
    Column("told_by", Text, nullable=False, comment="Token subject of the person who told it."),
    Column("told_at", TIME, nullable=False),
    Column("recorded_at", TIME, nullable=False),
    Column("sealed", LargeBinary, nullable=False, comment="Whom they spoke to."),
    comment="Append-only (C32): told by word of mouth, the confidentiality warning read.",
)
Index("uq_tellings", tellings.c.notice_id, tellings.c.told_at, unique=True)

oral_entries = Table(
    "oral_entries",
    metadata,
    Column("entry_id", Text, primary_key=True),
    Column("referral_id", Text, nullable=False),
    Column("child_id", Text, nullable=False),
    Column("agency_id", Text, nullable=False),
    Column("told_by", Text, nullable=False, comment="Token subject."),
    Column("told_at", TIME, nullable=False),
    Column("entered_at", TIME, nullable=False),
    Column(
        "sealed",
        LargeBinary,
        comment="Whom they spoke to; null once it is among the tellings, or destroyed.",
    ),
    Column("notice_id", Text, comment="Where it is on record."),
    Column("ended_at", TIME, comment="Null while it waits for a notice."),
    CheckConstraint("(sealed IS NULL) = (ended_at IS NOT NULL)", name="ck_oral_entries_ended"),
    comment="Calls as they were entered by referral; one waits until its notice is there.",
)
Index(
    "uq_oral_entries",
    oral_entries.c.referral_id,
    oral_entries.c.child_id,
    oral_entries.c.agency_id,
    oral_entries.c.told_at,
    unique=True,
)
Index(
    "ix_oral_entries_waiting",
    oral_entries.c.entered_at,
    postgresql_where=text("ended_at IS NULL"),
)

oral_decisions = Table(
    "oral_decisions",
    metadata,
    Column("entry_id", Text, ForeignKey("notify.oral_entries.entry_id"), primary_key=True),
    Column("outcome", Text, nullable=False, comment="not_told or misdirected."),
    Column("decided_by", Text, nullable=False, comment="Another than who told it."),
    Column("decided_at", TIME, nullable=False),
    Column("reason", Text, nullable=False, comment="Nothing about a child."),
    Column("disclosure_id", Text, comment="Of what should not have been told."),
    Column(
        "sealed",
        LargeBinary,
        comment="Whom they spoke to, under the child's key; null where there is none.",
    ),
    comment="Append-only: calls that a second person decided no notice will come for.",
)
