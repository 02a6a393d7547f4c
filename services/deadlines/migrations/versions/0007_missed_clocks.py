"""What was missed and is still owed is found by an index, however much was missed before.

Expands only: code of before goes on beside it.

Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_clocks_missed",
        "clocks",
        ["due_at"],
        schema="deadlines",
        postgresql_where=sa.text("state = 'breached' AND lacking IS NOT NULL"),
    )


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
