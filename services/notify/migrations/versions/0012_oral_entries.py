"""Calls to recipients of whom no notice is planned yet.

Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "oral_entries",
        sa.Column("entry_id", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("child_id", sa.Text(), nullable=False),
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column("told_by", sa.Text(), nullable=False, comment="Token subject."),
        sa.Column("told_at", _TIME, nullable=False),
        sa.Column("entered_at", _TIME, nullable=False),
        sa.Column(
            "sealed",
            sa.LargeBinary(),
            nullable=True,
            comment="Whom they spoke to; null once it is among the tellings, or destroyed.",
        ),
        sa.Column("notice_id", sa.Text(), nullable=True, comment="Where it is on record."),
        sa.Column("ended_at", _TIME, nullable=True, comment="Null while it waits for a notice."),
        sa.PrimaryKeyConstraint("entry_id"),
        sa.CheckConstraint(
            "(sealed IS NULL) = (ended_at IS NOT NULL)", name="ck_oral_entries_ended"
        ),
        schema="notify",
        comment="Calls as they were entered by referral; one waits until its notice is there.",
    )
    op.create_index(
        "uq_oral_entries",
        "oral_entries",
        ["referral_id", "child_id", "agency_id", "told_at"],
        unique=True,
        schema="notify",
    )
    op.create_index(
        "ix_oral_entries_waiting",
        "oral_entries",
        ["entered_at"],
        schema="notify",
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
