"""Clocks of consults and of recipients, warnings, and why a clock was breached.

Expands only: code of before goes on beside it.

Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SCHEMA = "deadlines"


def upgrade() -> None:
    for column in (
        sa.Column("stage", sa.Text(), comment="Of the plan that a leg belongs to; null: received."),
        sa.Column("matter", sa.Text(), comment="The consult, or the referral that is linked."),
    ):
        op.add_column("facts", column, schema=SCHEMA)
    for column in (
        sa.Column(
            "matter",
            sa.Text(),
            nullable=False,
            server_default="",
            comment="The consult or the recipient that it is about; empty: the child as such.",
        ),
        sa.Column(
            "released",
            sa.Boolean(),
            nullable=False,
            server_default=sa.false(),
            comment="Nothing is owed because the duty ended, not because it was met.",
        ),
        sa.Column(
            "warned", sa.Text(), comment="The warnings that were said, in minutes before due."
        ),
    ):
        op.add_column("clocks", column, schema=SCHEMA)
    op.alter_column(
        "clocks",
        "role",
        nullable=True,
        comment="Null for a duty that is no recipient's leg.",
        schema=SCHEMA,
    )
    op.drop_index("uq_clocks_duty", table_name="clocks", schema=SCHEMA)
    op.create_index(
        "uq_clocks_duty",
        "clocks",
        ["referral_id", "child_id", "duty", "matter"],
        unique=True,
        schema=SCHEMA,
    )
    reason = "Of a breach: what was lacking when it was announced."
    op.add_column("announcements", sa.Column("reason", sa.Text(), comment=reason), schema=SCHEMA)
    op.alter_column(
        "announcements",
        "kind",
        comment="breached, breach_corrected, approaching N.",
        existing_comment="breached or breach_corrected.",
        schema=SCHEMA,
    )


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
