"""Witnesses' cosignatures, origins after a restore, and what reconciliation finds.

Expands: code of before goes on without these.

Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

from shared.runtime.append_only import append_only

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NOW = sa.text("clock_timestamp()")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "cosignatures",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("witness", sa.Text(), nullable=False, comment="Its public key, name+id+base64."),
        sa.Column("line", sa.Text(), nullable=False, comment="The signature line, byte for byte."),
        sa.Column("stored_at", _TIME, server_default=_NOW, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="audit",
        comment="Append-only: what witnesses said of our checkpoints.",
    )
    op.create_index("ix_cosignatures_size", "cosignatures", ["size"], schema="audit")
    op.create_index("ix_cosignatures_witness", "cosignatures", ["witness", "size"], schema="audit")
    op.create_table(
        "origins",
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("from_index", sa.BigInteger(), nullable=False, comment="The entry that says so."),
        sa.Column("previous", sa.Text(), nullable=False, comment="The origin it goes on from."),
        sa.Column(
            "committed",
            sa.Text(),
            nullable=False,
            comment="The last checkpoint of it, a signed note.",
        ),
        sa.Column("started_at", _TIME, server_default=_NOW, nullable=False),
        sa.PrimaryKeyConstraint("origin"),
        schema="audit",
        comment="Append-only: a log that went on under a new name after a restore.",
    )
    op.create_table(
        "log_keys",
        sa.Column("vkey", sa.Text(), nullable=False, comment="A public key, name+id+base64."),
        sa.Column("first_used_at", _TIME, server_default=_NOW, nullable=False),
        sa.PrimaryKeyConstraint("vkey"),
        schema="audit",
        comment="Append-only: every key that has signed this log, for those who verify it later.",
    )
    op.create_table(
        "reconciliations",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("window_from", _TIME, nullable=False),
        sa.Column("window_to", _TIME, nullable=False),
        sa.Column(
            "compared",
            sa.BigInteger(),
            nullable=False,
            comment="Ids that were compared, both ways.",
        ),
        sa.Column("missing", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", _TIME, server_default=_NOW, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="audit",
        comment="Append-only: windows of time that were compared whole.",
    )
    op.create_index(
        "ix_reconciliations_window_to", "reconciliations", ["window_to"], schema="audit"
    )
    op.create_table(
        "discrepancies",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False, comment="The id that one side lacks."),
        sa.Column("found_at", _TIME, server_default=_NOW, nullable=False),
        sa.Column(
            "settled_at",
            _TIME,
            nullable=True,
            comment="When both sides had it; null while one lacks it.",
        ),
        sa.PrimaryKeyConstraint("kind", "subject"),
        schema="audit",
        comment="What one side of a comparison has and the other lacks.",
    )
    op.create_index(
        "ix_discrepancies_open",
        "discrepancies",
        ["found_at"],
        schema="audit",
        postgresql_where=sa.text("settled_at IS NULL"),
    )
    op.create_index(
        "ix_entries_sequenced_at",
        "entries",
        ["sequenced_at"],
        schema="audit",
        postgresql_using="brin",
    )
    for table in ("cosignatures", "origins", "log_keys", "reconciliations"):
        append_only(op, "audit", table)
    op.execute("REVOKE DELETE ON audit.discrepancies FROM hartline_audit_app")


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
