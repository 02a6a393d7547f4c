"""What a plan asked of a person, or put into a queue of the department's own.

Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

from shared.runtime.append_only import append_only

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "matters",
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("series", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("child_id", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("effect", sa.Text(), nullable=False, comment="review or ask."),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("rules_version", sa.Text(), nullable=False),
        sa.Column("directory_version", sa.Integer(), nullable=False),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("referral_id", "series", "version", "revision", "child_id", "rule"),
        schema="notify",
        comment="Append-only: what plans asked of a person, or put up for review.",
    )
    append_only(op, "notify", "matters")


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
