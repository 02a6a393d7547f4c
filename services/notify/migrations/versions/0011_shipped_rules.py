"""Every rules file that Hartline came with is kept by its version's name. Expands only.

Empty until a process of this version starts, which keeps its own.

Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

from shared.runtime.append_only import append_only

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "shipped_rules",
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column(
            "digest", sa.Text(), nullable=False, comment="SHA-256 of what the file says, in hex."
        ),
        sa.Column("text", sa.Text(), nullable=False, comment="The file, byte for byte."),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("version"),
        schema="notify",
        comment="Append-only: the rules files that notify has started with.",
    )
    append_only(op, "notify", "shipped_rules")


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
