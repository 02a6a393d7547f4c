"""The tables of audit: the log, its queue, its checkpoints, the promise.

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
        "checkpoints",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False, comment="The signed note, byte for byte."),
        sa.Column(
            "signed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id"),
        schema="audit",
        comment="Append-only (P7).",
    )
    op.create_index(
        "ix_checkpoints_signed_at", "checkpoints", ["signed_at"], unique=False, schema="audit"
    )
    op.create_table(
        "entries",
        sa.Column(
            "index", sa.BigInteger(), autoincrement=False, nullable=False, comment="From 0, no gap."
        ),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("disclosure_id", sa.Text(), nullable=True),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column(
            "leaf",
            sa.LargeBinary(),
            nullable=False,
            comment="The evidence; the rest is an index to it.",
        ),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False, comment="SHA-256(0x00 || leaf)."),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sequenced_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("index"),
        sa.UniqueConstraint("event_id", "position", name="uq_entries_source"),
        schema="audit",
        comment="Append-only (P7).",
    )
    op.create_index(
        "ix_entries_disclosure",
        "entries",
        ["disclosure_id"],
        unique=False,
        schema="audit",
        postgresql_where=sa.text("disclosure_id IS NOT NULL"),
    )
    op.create_table(
        "head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False, comment="Always 1."),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="The next index."),
        sa.Column(
            "peaks",
            postgresql.ARRAY(sa.LargeBinary()),
            nullable=False,
            comment="Right edge, left to right.",
        ),
        sa.PrimaryKeyConstraint("id"),
        schema="audit",
        comment="Locked by whoever appends or signs.",
    )
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
        schema="audit",
    )
    op.create_index(
        "ix_inbox_received_at",
        "inbox",
        ["received_at"],
        unique=False,
        schema="audit",
        postgresql_using="brin",
    )
    op.create_index(
        "ix_inbox_waiting",
        "inbox",
        ["received_at"],
        unique=False,
        schema="audit",
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
        schema="audit",
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
        schema="audit",
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
        schema="audit",
    )
    op.create_index(
        "ix_inbox_streams_leased",
        "inbox_streams",
        ["lease_owner"],
        unique=False,
        schema="audit",
        postgresql_where=sa.text("lease_owner IS NOT NULL"),
    )
    op.create_index(
        "ix_inbox_streams_parked",
        "inbox_streams",
        ["parked_at"],
        unique=False,
        schema="audit",
        postgresql_where=sa.text("parked_at IS NOT NULL"),
    )
    op.create_index(
        "ix_inbox_streams_ready",
        "inbox_streams",
        ["ready_at"],
        unique=False,
        schema="audit",
        postgresql_where=sa.text("ready_at IS NOT NULL AND parked_at IS NULL"),
    )
    op.create_table(
        "nodes",
        sa.Column(
            "level", sa.SmallInteger(), autoincrement=False, nullable=False, comment="From 1."
        ),
        sa.Column("index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "index"),
        schema="audit",
        comment="Append-only: perfect subtrees, for proofs in O(log n). Level 0 is in entries.",
    )
    op.create_table(
        "submissions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column(
            "position", sa.Integer(), nullable=False, comment="Place within the event, from 0."
        ),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("disclosure_id", sa.Text(), nullable=True),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column(
            "submitted_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("event_id", "position", name="uq_submissions_source"),
        schema="audit",
        comment="A queue: the sequencer moves its rows into entries, in one transaction.",
    )
    for table in ("entries", "nodes", "checkpoints"):
        append_only(op, "audit", table)
    op.execute("INSERT INTO audit.head (id, size, peaks) VALUES (1, 0, '{}')")
    op.execute("REVOKE INSERT, DELETE ON audit.head FROM hartline_audit_app")
    op.execute("REVOKE UPDATE ON audit.submissions FROM hartline_audit_app")


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
