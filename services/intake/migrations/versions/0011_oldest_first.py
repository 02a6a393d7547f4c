"""Pruning finds the oldest event by its id; the BRIN index goes, unused. Expands.

Revises: 0010
"""

from alembic import op

from shared.runtime.migrate import concurrently

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with concurrently():
        op.drop_index(
            "ix_outbox_created_at",
            table_name="outbox",
            schema="intake",
            postgresql_concurrently=True,
            if_exists=True,
        )


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
