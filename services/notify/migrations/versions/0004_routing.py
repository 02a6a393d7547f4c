"""Conflicts of interest, who stands in, and substitutions. Expands: code of before runs on it.

Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

from shared.runtime.append_only import append_only

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "conflicts",
        sa.Column("conflict_id", sa.Text(), nullable=False),
        sa.Column(
            "assertion_id",
            sa.Text(),
            nullable=False,
            comment="One person's word; it may bind several.",
        ),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("child_id", sa.Text(), comment="Null: of every child of the referral."),
        sa.Column(
            "agency_id", sa.Text(), nullable=False, comment="It is told nothing while this holds."
        ),
        sa.Column("ground", sa.Text(), nullable=False, comment="A code, never a story."),
        sa.Column("asserted_by", sa.Text(), nullable=False),
        sa.Column("asserted_at", _TIME, nullable=False),
        sa.Column("lift_asked_by", sa.Text()),
        sa.Column("lift_asked_at", _TIME),
        sa.Column("lifted_by", sa.Text(), comment="Somebody else than who asked."),
        sa.Column("lifted_at", _TIME),
        sa.PrimaryKeyConstraint("conflict_id"),
        schema="notify",
        comment="A conflict holds at once on one person's word; lifting it takes two.",
    )
    op.create_index(
        "ix_conflicts_in_force",
        "conflicts",
        ["referral_id", "agency_id"],
        schema="notify",
        postgresql_where=sa.text("lifted_at IS NULL"),
    )
    op.create_index("ix_conflicts_assertion", "conflicts", ["assertion_id"], schema="notify")
    op.create_table(
        "stand_ins",
        sa.Column("notice_id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("planned_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["notice_id"], ["notify.notices.notice_id"]),
        sa.PrimaryKeyConstraint("notice_id", "role"),
        schema="notify",
        comment="Append-only: notices that count for one more role, in place of a conflicted "
        "agency.",
    )
    op.create_table(
        "substitutions",
        sa.Column("notice_id", sa.Text(), nullable=False),
        sa.Column("conflict_id", sa.Text(), nullable=False),
        sa.Column("rules_version", sa.Text(), nullable=False),
        sa.Column("directory_version", sa.Integer(), nullable=False),
        sa.Column("planned_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["conflict_id"], ["notify.conflicts.conflict_id"]),
        sa.ForeignKeyConstraint(["notice_id"], ["notify.notices.notice_id"]),
        sa.PrimaryKeyConstraint("notice_id"),
        schema="notify",
        comment="Append-only (P3): notices in whose place others were planned, each a plan of its "
        "own.",
    )
    for table in ("stand_ins", "substitutions"):
        append_only(op, "notify", table)


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
