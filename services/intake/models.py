"""Tables of the intake service, in schema `intake`. Personal data lies sealed
alone.

The tables of an area lie in its folder, on the same metadata.
"""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from services.intake.metadata import TIME, metadata
from shared.messaging.tables import outbox_tables
from shared.runtime.acts import acts_table

OUTBOX = outbox_tables(metadata)
ACTS = acts_table(metadata)

referrals = Table(
    "referrals",
    metadata,
    Column("referral_id", Text, primary_key=True),
    Column("number", Text, nullable=False, comment="Spoken on the phone; random."),
    Column("owner", Text, nullable=False, comment="Token subject that created it."),
    Column("version", Integer, nullable=False, comment="The current one."),
    Column("synthetic", Boolean, nullable=False),
    Column(
        "indexed_version",
        Integer,
        nullable=False,
        server_default="0",
        comment="The one whose children the blind index knows; 0 while none is.",
    ),
    Column(
        "indexed_key",
        Integer,
        nullable=False,
        server_default="0",
        comment="Version of the key under which they are indexed.",
    ),
    Column(
        "tallied",
        Integer,
        nullable=False,
        server_default=text("0"),
        comment="The version that the statistics have counted.",
    ),
    UniqueConstraint("number", name="uq_referrals_number"),
)
Index(
    "ix_referrals_unindexed",
    referrals.c.referral_id,
    postgresql_where=text("indexed_version < version AND NOT synthetic"),
)
Index(
    "ix_referrals_untallied",
    referrals.c.referral_id,
    postgresql_where=text("tallied < version"),
)

referral_versions = Table(
    "referral_versions",
    metadata,
    Column("referral_id", Text, ForeignKey("intake.referrals.referral_id"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("change_id", Text, nullable=False, comment="The request that made it (P1)."),
    Column("trigger", Text, nullable=False),
    Column("received_at", TIME, nullable=False, comment="The clocks' basis."),
    Column("recorded_at", TIME, nullable=False),
    Column("recorded_by", Text, nullable=False, comment="Token subject."),
    Column("child_ids", ARRAY(Text), nullable=False, comment="In the order given."),
    Column(
        "backdated",
        Boolean,
        nullable=False,
        server_default=false(),
        comment="Received long before it was recorded, or moved to an earlier time.",
    ),
    comment="Append-only.",
)

child_keys = Table(
    "child_keys",
    metadata,
    Column("child_id", Text, primary_key=True),
    Column("referral_id", Text, ForeignKey("intake.referrals.referral_id"), nullable=False),
    Column("kek_version", Integer, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("key_version", Integer, nullable=False, comment="The data key's own version."),
    Column("shredding_id", Text, comment="Whose order destroyed it."),
    Column("shredded_at", TIME),
    CheckConstraint("(wrapped = '') = (shredded_at IS NOT NULL)", name="ck_child_keys_shredded"),
)
Index("ix_child_keys_referral_id", child_keys.c.referral_id)

documents = Table(
    "documents",
    metadata,
    Column("child_id", Text, ForeignKey("intake.child_keys.child_id"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("sealed", LargeBinary, nullable=False, comment="One child in one version."),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("owner", Text, primary_key=True, comment="Token subject; each has its own keys."),
    Column(
        "key_digest",
        LargeBinary,
        primary_key=True,
        comment="HMAC of the Idempotency-Key; an amendment's, with the referral's id.",
    ),
    Column("body_digest", LargeBinary, nullable=False, comment="HMAC of the canonical body."),
    Column("answer", Text, nullable=False, comment="The 201's or 200's body: ids and times only."),
    Column("created_at", TIME, nullable=False),
)

views = Table(
    "views",
    metadata,
    Column("disclosure_id", Text, primary_key=True),
    Column("referral_id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("child_ids", ARRAY(Text), nullable=False),
    Column("actor", Text, nullable=False, comment="Subject of the reader's token."),
    Column("actor_kind", Text, nullable=False, comment="service or person."),
    Column("authority", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("profiles", ARRAY(Text), nullable=False),
    Column("fields", ARRAY(Text), nullable=False, comment="Names, never values."),
    Column("commitment", Text, nullable=False, comment="HMAC-SHA256 over what was shown."),
    Column("viewed_at", TIME, nullable=False),
    comment="Append-only (P2): committed before the first byte of a read is returned.",
)
Index("ix_views_referral_id", views.c.referral_id)

record_views = Table(
    "record_views",
    metadata,
    Column("disclosure_id", Text, primary_key=True),
    Column("record_id", Text, nullable=False, comment="Of what belongs to no referral."),
    Column("actor", Text, nullable=False, comment="Subject of the reader's token."),
    Column("authority", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("fields", ARRAY(Text), nullable=False, comment="Names, never values."),
    Column("commitment", Text, nullable=False, comment="HMAC-SHA256 over what was shown."),
    Column("viewed_at", TIME, nullable=False),
    comment="Append-only (P2): committed before the first byte of a read is returned.",
)
