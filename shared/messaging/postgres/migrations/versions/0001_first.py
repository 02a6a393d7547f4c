"""The tables of the PostgreSQL bus: the log, its heads, and how far each group has read.

Revises: nothing
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "heads",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column(
            "next_offset", sa.BigInteger(), nullable=False, comment="What the next record will get."
        ),
        sa.PrimaryKeyConstraint("topic"),
        schema="bus",
        postgresql_with={"fillfactor": "50"},
        comment="Locked by whoever appends to the topic, so offsets become visible in order.",
    )
    op.create_table(
        "log",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column(
            "appended_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("topic", "offset"),
        schema="bus",
        comment="Per topic without a gap; only old records that every group has read go away.",
    )
    op.create_table(
        "positions",
        sa.Column("group_name", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.Column(
            "moved_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("group_name", "topic"),
        schema="bus",
        postgresql_with={"fillfactor": "50"},
        comment="How far each group has told us it is; never ahead of the group's own database.",
    )


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
