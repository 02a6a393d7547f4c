"""The tables of deadlines: policies, facts, clocks, announcements, the promise.

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
        "clocks",
        sa.Column("clock_id", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("child_id", sa.Text(), nullable=False),
        sa.Column("duty", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("policy_version", sa.Text(), nullable=False),
        sa.Column("synthetic", sa.Boolean(), nullable=False),
        sa.Column("basis_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "satisfied_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Since when its duty has been met without a break.",
        ),
        sa.Column(
            "lacking",
            sa.Text(),
            nullable=True,
            comment="Why it is not satisfied; null exactly when it is.",
        ),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column(
            "look_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the sweeper must look; null when nothing can come.",
        ),
        sa.Column(
            "waiting_since",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Since when its breach has waited for late facts.",
        ),
        sa.PrimaryKeyConstraint("clock_id"),
        schema="deadlines",
        comment="A summary of facts and announcements: it can be made again from them.",
    )
    op.create_index(
        "ix_clocks_look_at",
        "clocks",
        ["look_at"],
        unique=False,
        schema="deadlines",
        postgresql_where=sa.text("look_at IS NOT NULL"),
    )
    op.create_index(
        "ix_clocks_open",
        "clocks",
        ["due_at"],
        unique=False,
        schema="deadlines",
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index(
        "uq_clocks_duty",
        "clocks",
        ["referral_id", "child_id", "duty"],
        unique=True,
        schema="deadlines",
    )
    op.create_table(
        "facts",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column(
            "occurred_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When it happened, not when we heard.",
        ),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("child_id", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("agency_id", sa.Text(), nullable=True),
        sa.Column("notice_id", sa.Text(), nullable=True),
        sa.Column(
            "statement",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="What a referral version says that clocks depend on.",
        ),
        sa.Column(
            "learned_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("event_id", "place"),
        schema="deadlines",
        comment="Append-only. Kept with or without a clock to match: topics race.",
    )
    op.create_index("ix_facts_referral", "facts", ["referral_id"], unique=False, schema="deadlines")
    op.create_table(
        "inbox",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column(
            "received_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "skipped_by",
            sa.Text(),
            nullable=True,
            comment="Who decided that it is not handled; else null.",
        ),
        sa.PrimaryKeyConstraint("topic", "source", "subject", "sequence"),
        schema="deadlines",
    )
    op.create_index(
        "ix_inbox_received_at",
        "inbox",
        ["received_at"],
        unique=False,
        schema="deadlines",
        postgresql_using="brin",
    )
    op.create_index(
        "ix_inbox_waiting",
        "inbox",
        ["received_at"],
        unique=False,
        schema="deadlines",
        postgresql_where=sa.text("done_at IS NULL"),
    )
    op.create_table(
        "inbox_cursors",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.Column(
            "moved_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("topic", "partition"),
        schema="deadlines",
    )
    op.create_table(
        "inbox_quarantine",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column(
            "body",
            sa.LargeBinary(),
            nullable=True,
            comment="Only when it parsed, so holds no personal data.",
        ),
        sa.Column(
            "quarantined_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("released_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("topic", "partition", "offset"),
        schema="deadlines",
    )
    op.create_table(
        "inbox_streams",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False, comment="Last finished sequence."),
        sa.Column("highest", sa.BigInteger(), nullable=False, comment="Highest sequence received."),
        sa.Column(
            "ready_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When to look at it; null when nothing waits.",
        ),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "last_error",
            sa.Text(),
            nullable=True,
            comment="Name of the last error's class; never its text.",
        ),
        sa.Column(
            "gap_since",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Since when the next sequence has been missing.",
        ),
        sa.Column("parked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("parked_reason", sa.Text(), nullable=True),
        sa.Column("lease_owner", sa.Integer(), nullable=True),
        sa.Column("lease_token", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("topic", "source", "subject"),
        schema="deadlines",
    )
    op.create_index(
        "ix_inbox_streams_leased",
        "inbox_streams",
        ["lease_owner"],
        unique=False,
        schema="deadlines",
        postgresql_where=sa.text("lease_owner IS NOT NULL"),
    )
    op.create_index(
        "ix_inbox_streams_parked",
        "inbox_streams",
        ["parked_at"],
        unique=False,
        schema="deadlines",
        postgresql_where=sa.text("parked_at IS NOT NULL"),
    )
    op.create_index(
        "ix_inbox_streams_ready",
        "inbox_streams",
        ["ready_at"],
        unique=False,
        schema="deadlines",
        postgresql_where=sa.text("ready_at IS NOT NULL AND parked_at IS NULL"),
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
        schema="deadlines",
    )
    op.create_index(
        "ix_outbox_created_at",
        "outbox",
        ["created_at"],
        unique=False,
        schema="deadlines",
        postgresql_using="brin",
    )
    op.create_index(
        "ix_outbox_pending",
        "outbox",
        ["id"],
        unique=False,
        schema="deadlines",
        postgresql_where=sa.text("sent_at IS NULL"),
    )
    op.create_table(
        "outbox_heads",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False, comment="The last one given out."),
        sa.PrimaryKeyConstraint("topic", "subject"),
        schema="deadlines",
    )
    op.create_table(
        "policies",
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column(
            "body",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="The policy as it was read from its file.",
        ),
        sa.Column(
            "first_used_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("policy", "version"),
        schema="deadlines",
        comment="Append-only: a version under which clocks may run never changes and never goes.",
    )
    op.create_table(
        "relay_leader",
        sa.Column("id", sa.Integer(), nullable=False, comment="Always 1."),
        sa.Column("epoch", sa.BigInteger(), nullable=False, comment="Grows with every new leader."),
        sa.Column("elected_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="deadlines",
    )
    op.create_table(
        "announcements",
        sa.Column("clock_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="breached or breach_corrected."),
        sa.Column(
            "due_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="The due time that it speaks of.",
        ),
        sa.Column("satisfied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("discovered_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["clock_id"],
            ["deadlines.clocks.clock_id"],
        ),
        sa.PrimaryKeyConstraint("clock_id", "kind"),
        schema="deadlines",
        comment="Append-only: each is emitted once, and none is ever erased (P6).",
    )
    for table in ("policies", "facts", "announcements"):
        append_only(op, "deadlines", table)


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
