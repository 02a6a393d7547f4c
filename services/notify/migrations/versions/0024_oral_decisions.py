"""Calls that a person decided would find no notice. Expands.

Revises: 0023
"""

import sqlalchemy as sa
from alembic import op

from shared.runtime.append_only import append_only

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "oral_decisions",
        sa.Column("entry_id", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False, comment="not_told or misdirected."),
        sa.Column("decided_by", sa.Text(), nullable=False, comment="Another than who told it."),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False, comment="Nothing about a child."),
        sa.Column(
            "disclosure_id", sa.Text(), nullable=True, comment="Of what should not have been told."
        ),
        sa.Column(
            "sealed",
            sa.LargeBinary(),
            nullable=True,
            comment="Whom they spoke to, under the child's key; null where there is none.",
        ),
        sa.PrimaryKeyConstraint("entry_id"),
        sa.ForeignKeyConstraint(["entry_id"], ["notify.oral_entries.entry_id"]),
        schema="notify",
        comment="Append-only: calls that a second person decided no notice will come for.",
    )
    append_only(op, "notify", "oral_decisions")


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
