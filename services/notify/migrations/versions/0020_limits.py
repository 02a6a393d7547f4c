"""An agency's record may set how much of it is under way, and how much leaves a minute. Expands.

Revises: 0019
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("max_in_flight", sa.Integer(), comment="Attempts at a time; null: no limit."),
        sa.Column("max_per_minute", sa.Integer(), comment="Of any minute; null: no limit."),
    ):
        op.add_column("agencies", column, schema="notify")
    op.create_table(
        "paces",
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column(
            "departures",
            postgresql.ARRAY(sa.DateTime(timezone=True)),
            nullable=False,
            server_default=sa.text("'{}'"),
            comment="When attempts of the last minute were claimed, where there is a rate.",
        ),
        sa.Column("turn", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.PrimaryKeyConstraint("agency_id"),
        schema="notify",
        comment="One row per agency with a limit; a claim of such an agency locks it.",
    )


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
