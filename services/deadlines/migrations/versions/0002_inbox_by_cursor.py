"""What of the inbox is handled follows from the streams' cursors: no mark on every row.

Contracts: code of before marks rows, so stop it first. Nothing had been released.

Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_inbox_waiting", table_name="inbox", schema="deadlines")
    op.drop_column("inbox", "done_at", schema="deadlines")


def downgrade() -> None:
    """Rows are unmarked again; a worker of before would pass over what its cursors have passed."""
    op.add_column("inbox", sa.Column("done_at", sa.DateTime(timezone=True)), schema="deadlines")
    op.create_index(
        "ix_inbox_waiting",
        "inbox",
        ["received_at"],
        schema="deadlines",
        postgresql_where=sa.text("done_at IS NULL"),
    )
