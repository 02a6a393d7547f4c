"""Overrides of the roster that somebody ended before their time. Expands.

Revises: 0024
"""

import sqlalchemy as sa
from alembic import op

from shared.runtime.append_only import append_only

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "roster_override_ends",
        sa.Column("override_id", sa.Text(), nullable=False),
        sa.Column("ended_by", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("override_id"),
        sa.ForeignKeyConstraint(["override_id"], ["notify.roster_overrides.override_id"]),
        schema="notify",
        comment="Append-only: overrides that somebody ended before their time.",
    )
    append_only(op, "notify", "roster_override_ends")


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
