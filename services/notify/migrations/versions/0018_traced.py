"""What a notice's delivery and acknowledgement follow in a trace. Expands.

Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "notices",
        sa.Column(
            "traceparent", sa.Text(), comment="Of its plan, where that is traced (ADR 0040)."
        ),
        schema="notify",
    )


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
