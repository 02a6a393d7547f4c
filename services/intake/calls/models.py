"""Tables of calls. What was typed lies sealed, under a key of the call's own."""

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from services.intake.metadata import metadata

TIME = DateTime(timezone=True)
OPEN = "finished_at IS NULL AND closed_at IS NULL"

calls = Table(
    "calls",
    metadata,
    Column("call_id", Text, primary_key=True),
    Column("owner", Text, nullable=False, comment="Token subject that opened it."),
    Column("version", Integer, nullable=False, comment="Of what was typed; 0 while nothing was."),
    Column("received_at", TIME, nullable=False, comment="The clocks' basis."),
    Column("recorded_at", TIME, nullable=False, comment="When it was opened."),
    Column("saved_at", TIME, nullable=False, comment="When something of it was last kept."),
    Column("synthetic", Boolean, nullable=False),
    Column("kek_version", Integer, comment="Null once the call is a referral: it is shredded."),
    Column("wrapped", LargeBinary),
    Column("key_version", Integer, comment="The data key's own version."),
    Column("sealed", LargeBinary, comment="The last version of what was typed."),
    Column("abandoned_at", TIME, comment="When it was found left alone; once."),
    Column("finished_at", TIME),
    Column("referral_id", Text, ForeignKey("intake.referrals.referral_id")),
    Column("closed_at", TIME, comment="When a person said that it is no referral."),
    Column("closed_by", Text),
    Column("closed_why", Text),
)
Index(
    "ix_calls_open",
    calls.c.saved_at,
    postgresql_where=text(f"{OPEN} AND abandoned_at IS NULL"),
)
Index(
    "ix_calls_abandoned",
    calls.c.abandoned_at,
    postgresql_where=text(f"{OPEN} AND abandoned_at IS NOT NULL"),
)
Index("ix_calls_received_at", calls.c.received_at)

call_views = Table(
    "call_views",
    metadata,
    Column("disclosure_id", Text, primary_key=True),
    Column("call_id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("actor", Text, nullable=False, comment="Subject of the reader's token."),
    Column("authority", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("fields", ARRAY(Text), nullable=False, comment="Names, never values."),
    Column("commitment", Text, nullable=False, comment="HMAC-SHA256 over what was shown."),
    Column("viewed_at", TIME, nullable=False),
    comment="Append-only (P2): committed before the first byte of a read is returned.",
)
