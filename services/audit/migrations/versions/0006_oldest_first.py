"""What arrived first is the first row of an index; BRIN indexes go. Expands.

Revises: 0005
"""

from alembic import op

from shared.runtime.migrate import concurrently

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with concurrently():
        op.create_index(
            "ix_inbox_received",
            "inbox",
            ["received_at"],
            schema="audit",
            postgresql_concurrently=True,
            if_not_exists=True,
        )
        op.drop_index(
            "ix_inbox_received_at",
            table_name="inbox",
            schema="audit",
            postgresql_concurrently=True,
            if_exists=True,
        )


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
