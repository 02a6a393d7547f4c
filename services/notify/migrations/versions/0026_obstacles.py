"""What kept an attempt from being sent, beside how it ended. Expands.

Revises: 0025
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "disclosure_outcomes",
        sa.Column("obstacle", sa.Text(), comment="Of what failed: why nothing was sent."),
        schema="notify",
    )


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
