"""A task may say which desk it is for. Expands: code of before goes on beside it.

Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    comment = "Whose it is; null: the kind's role in the roster."
    op.add_column("tasks", sa.Column("desk", sa.Text(), comment=comment), schema="notify")


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
