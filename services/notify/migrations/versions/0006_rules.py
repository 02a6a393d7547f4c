"""Rules that two people have put in force. Expands: code of before goes by the shipped file.

Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

from shared.runtime.append_only import append_only

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rulebooks",
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False, comment="The rules file, as it was proposed."),
        sa.Column("effective", sa.Date(), nullable=False, comment="The first day in Connecticut."),
        sa.Column("proposal_id", sa.Text(), nullable=False),
        sa.Column("adopted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("version", name="uq_rulebooks_version"),
        schema="notify",
        comment="What routing goes by beyond the rules file that Hartline ships. Rows are never "
        "changed.",
    )
    append_only(op, "notify", "rulebooks")


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
