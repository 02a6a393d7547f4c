"""Links between referrals, and what each recipient of both was told of them. Expands.

Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

from shared.runtime.append_only import append_only

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column(
        "notices",
        sa.Column("relates_to", sa.Text(), comment="The referral that a related notice names."),
        schema="notify",
    )
    op.add_column(
        "notices",
        sa.Column("relation", sa.Text(), comment="A related notice's, by its code."),
        schema="notify",
    )
    op.create_table(
        "referral_links",
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("related_referral_id", sa.Text(), nullable=False),
        sa.Column("relation", sa.Text(), nullable=False),
        sa.Column("linked_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("referral_id", "related_referral_id"),
        schema="notify",
        comment="Append-only: referrals that speak of the same matter (C9), as intake links them.",
    )
    op.create_index("ix_referral_links_at", "referral_links", ["linked_at"], schema="notify")
    op.create_table(
        "related_plans",
        sa.Column("first_referral_id", sa.Text(), nullable=False),
        sa.Column("second_referral_id", sa.Text(), nullable=False),
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column("planned_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("first_referral_id", "second_referral_id", "agency_id"),
        schema="notify",
        comment="Append-only: recipients of both of two linked referrals, each decided on once.",
    )
    for table in ("referral_links", "related_plans"):
        append_only(op, "notify", table)


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
