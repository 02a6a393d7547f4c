"""Who is whom of two linked referrals about the same child, and what names one. Expands.

Revises: 0016
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("child_ids", "related_child_ids"):
        op.add_column(
            "referral_links",
            sa.Column(name, ARRAY(sa.Text()), nullable=False, server_default="{}"),
            schema="notify",
        )
    op.create_index(
        "ix_notices_relates_to",
        "notices",
        ["relates_to"],
        schema="notify",
        postgresql_where=sa.text("relates_to IS NOT NULL"),
    )


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
