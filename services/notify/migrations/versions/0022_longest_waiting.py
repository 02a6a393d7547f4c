"""What has waited longest is the first row of an index. Expands.

Revises: 0021
"""

import sqlalchemy as sa
from alembic import op

from shared.runtime.migrate import concurrently

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with concurrently():
        op.create_index(
            "ix_deliveries_waiting",
            "deliveries",
            ["planned_at"],
            schema="notify",
            postgresql_where=sa.text("state IN ('pending', 'blocked') AND delivered_at IS NULL"),
            postgresql_concurrently=True,
            if_not_exists=True,
        )


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
