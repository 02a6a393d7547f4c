"""Table of tellings. Who was told lies sealed, under the child's key."""

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, Table, Text

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
