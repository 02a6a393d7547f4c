"""What was missed and is still owed is found by an index; a due time that moves leaves a trace.

Expands only: code of before goes on beside it.

Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

from shared.runtime.append_only import append_only

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_index(
        "ix_clocks_missed",
        "clocks",
        ["due_at"],
        schema="deadlines",
        postgresql_where=sa.text("state = 'breached' AND lacking IS NOT NULL"),
    )
    op.create_table(
        "moves",
        sa.Column("clock_id", sa.Text(), nullable=False),
        sa.Column("moved_at", _TIME, nullable=False, comment="When we learned of it."),
        sa.Column(
            "began_at", _TIME, nullable=False, comment="What it was counted from until then."
        ),
        sa.Column("before_at", _TIME, nullable=False, comment="The due time until then."),
        sa.Column("due_at", _TIME, nullable=False, comment="The due time since then."),
        sa.ForeignKeyConstraint(["clock_id"], ["deadlines.clocks.clock_id"]),
        sa.PrimaryKeyConstraint("clock_id", "moved_at", "due_at"),
        schema="deadlines",
        comment="Append-only: due times that a fact or a policy moved, for the history.",
    )
    append_only(op, "deadlines", "moves")


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
