"""A delivery says when its notice was planned. Expands: code of before leaves it empty.

Revises: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    comment = "When its notice was; null: planned by a release that did not say it here."
    op.add_column(
        "deliveries",
        sa.Column("planned_at", sa.DateTime(timezone=True), comment=comment),
        schema="notify",
    )


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
