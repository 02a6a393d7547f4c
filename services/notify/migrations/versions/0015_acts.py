"""Who ran which command.

Expands: code of before goes on without it.

Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

from shared.runtime.append_only import append_only

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "acts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("by", sa.Text(), nullable=False, comment="Who said that it was they."),
        sa.Column("account", sa.Text(), nullable=False, comment="The account that it ran under."),
        sa.Column("command", sa.Text(), nullable=False, comment="What was typed; ids, no content."),
        sa.Column("changed", sa.BigInteger(), nullable=False, comment="How many rows."),
        sa.PrimaryKeyConstraint("id"),
        schema="notify",
        comment="Append-only: commands that changed something.",
    )
    append_only(op, "notify", "acts")
