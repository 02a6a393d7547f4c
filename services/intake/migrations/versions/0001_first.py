"""The tables of intake: referrals in versions, sealed documents, views, the outbox.

Revises: nothing
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.runtime.append_only import append_only

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column(
            "owner", sa.Text(), nullable=False, comment="Token subject; each has its own keys."
        ),
        sa.Column(
            "key_digest", sa.LargeBinary(), nullable=False, comment="HMAC of the Idempotency-Key."
        ),
        sa.Column(
            "body_digest", sa.LargeBinary(), nullable=False, comment="HMAC of the canonical body."
        ),
        sa.Column(
            "answer", sa.Text(), nullable=False, comment="The 201's body: ids and times only."
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("owner", "key_digest"),
        schema="intake",
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="The CloudEvent, as sent."),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "sent_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the bus acknowledged it; null while pending.",
        ),
        sa.PrimaryKeyConstraint("id"),
        schema="intake",
    )
    op.create_index(
        "ix_outbox_created_at",
        "outbox",
        ["created_at"],
        unique=False,
        schema="intake",
        postgresql_using="brin",
    )
    op.create_index(
        "ix_outbox_pending",
        "outbox",
        ["id"],
        unique=False,
        schema="intake",
        postgresql_where=sa.text("sent_at IS NULL"),
    )
    op.create_table(
        "outbox_heads",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False, comment="The last one given out."),
        sa.PrimaryKeyConstraint("topic", "subject"),
        schema="intake",
    )
    op.create_table(
        "referrals",
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False, comment="Spoken on the phone; random."),
        sa.Column("owner", sa.Text(), nullable=False, comment="Token subject that created it."),
        sa.Column("version", sa.Integer(), nullable=False, comment="The current one."),
        sa.Column("synthetic", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("referral_id"),
        sa.UniqueConstraint("number", name="uq_referrals_number"),
        schema="intake",
    )
    op.create_table(
        "relay_leader",
        sa.Column("id", sa.Integer(), nullable=False, comment="Always 1."),
        sa.Column("epoch", sa.BigInteger(), nullable=False, comment="Grows with every new leader."),
        sa.Column("elected_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="intake",
    )
    op.create_table(
        "views",
        sa.Column("disclosure_id", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("child_ids", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False, comment="Subject of the reader's token."),
        sa.Column("actor_kind", sa.Text(), nullable=False, comment="service or person."),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("profiles", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column(
            "fields", postgresql.ARRAY(sa.Text()), nullable=False, comment="Names, never values."
        ),
        sa.Column(
            "commitment", sa.Text(), nullable=False, comment="HMAC-SHA256 over what was shown."
        ),
        sa.Column("viewed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("disclosure_id"),
        schema="intake",
        comment="Append-only (P2): committed before the first byte of a read is returned.",
    )
    op.create_index("ix_views_referral_id", "views", ["referral_id"], unique=False, schema="intake")
    op.create_table(
        "child_keys",
        sa.Column("child_id", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("kek_version", sa.Integer(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column(
            "key_version", sa.Integer(), nullable=False, comment="The data key's own version."
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"],
            ["intake.referrals.referral_id"],
        ),
        sa.PrimaryKeyConstraint("child_id"),
        schema="intake",
    )
    op.create_index(
        "ix_child_keys_referral_id", "child_keys", ["referral_id"], unique=False, schema="intake"
    )
    op.create_table(
        "referral_versions",
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("change_id", sa.Text(), nullable=False, comment="The request that made it (P1)."),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column(
            "received_at", sa.DateTime(timezone=True), nullable=False, comment="The clocks' basis."
        ),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False, comment="Token subject."),
        sa.Column(
            "child_ids", postgresql.ARRAY(sa.Text()), nullable=False, comment="In the order given."
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"],
            ["intake.referrals.referral_id"],
        ),
        sa.PrimaryKeyConstraint("referral_id", "version"),
        schema="intake",
        comment="Append-only.",
    )
    op.create_table(
        "documents",
        sa.Column("child_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False, comment="One child in one version."),
        sa.ForeignKeyConstraint(
            ["child_id"],
            ["intake.child_keys.child_id"],
        ),
        sa.PrimaryKeyConstraint("child_id", "version"),
        schema="intake",
    )
    append_only(op, "intake", "referral_versions")
    append_only(op, "intake", "views")


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
