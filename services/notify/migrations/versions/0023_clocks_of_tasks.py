"""Which clocks a task is about, whose task somebody else took, and when intake had accepted what
is planned. Expands.

Revises: 0022
"""

import sqlalchemy as sa
from alembic import op

from shared.runtime.append_only import append_only

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column(
        "plans",
        sa.Column("accepted_at", _TIME, comment="By intake; null in what 0023 found."),
        schema="notify",
    )
    op.add_column(
        "tasks",
        sa.Column(
            "acknowledged_for",
            sa.Text(),
            comment="The desk, where whoever acknowledged it does not stand for it.",
        ),
        schema="notify",
    )
    op.create_table(
        "task_clocks",
        sa.Column("kind", sa.Text(), primary_key=True),
        sa.Column("about", sa.Text(), primary_key=True, comment="As of a task about it alone."),
        sa.Column("task_id", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("child_id", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), comment="Null: it is about no recipient's leg."),
        sa.Column("due_at", _TIME, nullable=False),
        schema="notify",
        comment="Append-only: which clocks a desk's task of a referral is about.",
    )
    op.create_index("ix_task_clocks_task", "task_clocks", ["task_id"], schema="notify")
    op.create_index("ix_task_clocks_referral", "task_clocks", ["referral_id"], schema="notify")
    append_only(op, "notify", "task_clocks")


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
