"""What recipients' own systems say they hold.

Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

from shared.runtime.append_only import append_only

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "statements",
        sa.Column("statement_id", sa.Text(), nullable=False),
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column("since", _TIME, nullable=False),
        sa.Column("until", _TIME, nullable=False),
        sa.Column("stated_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["agency_id"], ["notify.agencies.agency_id"]),
        sa.PrimaryKeyConstraint("statement_id"),
        schema="notify",
        comment="Append-only: of which time a recipient's system has said what it holds.",
    )
    op.create_index("ix_statements_agency", "statements", ["agency_id", "until"], schema="notify")
    op.create_table(
        "receipts",
        sa.Column("notice_id", sa.Text(), nullable=False),
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column("statement_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["notice_id"], ["notify.notices.notice_id"]),
        sa.ForeignKeyConstraint(["statement_id"], ["notify.statements.statement_id"]),
        sa.PrimaryKeyConstraint("notice_id"),
        schema="notify",
        comment="Append-only: notices of which a recipient's system has said that it holds them.",
    )
    append_only(op, "notify", "statements")
    append_only(op, "notify", "receipts")


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
