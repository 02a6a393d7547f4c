"""Which children were looked at before they turn 18.

Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "majority_looks",
        sa.Column("child_id", sa.Text(), nullable=False),
        sa.Column(
            "version", sa.Integer(), nullable=False, comment="The version that was looked at."
        ),
        sa.Column(
            "month",
            sa.Date(),
            nullable=False,
            comment="The first day of the month of the last look.",
        ),
        sa.Column(
            "noticed_at",
            sa.DateTime(timezone=True),
            comment="Announced: it is not opened again.",
        ),
        sa.ForeignKeyConstraint(["child_id"], ["intake.child_keys.child_id"]),
        sa.PrimaryKeyConstraint("child_id"),
        schema="intake",
        comment="Every child has a row, whatever its age and nationality.",
    )


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
