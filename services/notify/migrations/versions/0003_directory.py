"""The directory has a history, a jurisdiction finer than towns, and changes that take two people.

Expands only. What is on file becomes the first term of its history, in force since always.

Revises: 0002
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.runtime.append_only import append_only

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_NOT_ON_FILE = "ARRAY['hold_until', 'consecutive_failures']"


def upgrade() -> None:
    _widen_agencies()
    _history()
    _proposals()
    op.alter_column(
        "tasks",
        "referral_id",
        nullable=True,
        comment="Null: it is about no referral.",
        schema="notify",
    )


def _widen_agencies() -> None:
    lists = ("beats", "offices", "affiliations")
    columns: tuple[sa.Column[Any], ...] = (
        sa.Column("code", sa.Text(), comment="What people and files call it, for good."),
        *(
            sa.Column(
                name, postgresql.ARRAY(sa.Text()), nullable=False, server_default=sa.text("'{}'")
            )
            for name in lists
        ),
        sa.Column("seat", sa.Text(), comment="Of a member of a multidisciplinary team."),
        sa.Column("mou", sa.Text()),
        sa.Column("mou_to", sa.Date(), comment="When the agreement ends, so does the authority."),
        sa.Column("contact", sa.Text(), comment="A desk and its number."),
        sa.Column(
            "successor",
            sa.Text(),
            comment="Of a closed agency: the code of who does its work now.",
        ),
        sa.Column("closed", sa.Boolean(), nullable=False, server_default=sa.text("false")),
    )
    for column in columns:
        op.add_column("agencies", column, schema="notify")
    op.create_index(
        "uq_agencies_code",
        "agencies",
        ["code"],
        unique=True,
        schema="notify",
        postgresql_where=sa.text("code IS NOT NULL"),
    )


def _history() -> None:
    op.create_table(
        "directory_versions",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "effective_on",
            sa.Date(),
            nullable=False,
            comment="The day in Connecticut it was made.",
        ),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "proposal_id",
            sa.Text(),
            comment="Null: seeded as a sample, or a day had come.",
        ),
        sa.PrimaryKeyConstraint("version"),
        schema="notify",
        comment="Append-only: when each version of the directory came to be, and by whose "
        "decision.",
    )
    op.create_table(
        "agency_terms",
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column(
            "fields",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="What changes on that day; at first, all.",
        ),
        sa.PrimaryKeyConstraint("agency_id", "version", "valid_from"),
        schema="notify",
        comment="Append-only: the directory's history. `agencies` is what is in force of it today.",
    )
    op.create_index("ix_agency_terms_valid_from", "agency_terms", ["valid_from"], schema="notify")
    op.execute(
        "INSERT INTO notify.agency_terms (agency_id, version, valid_from, fields) "
        f"SELECT agency_id, version, '2000-01-01', to_jsonb(a) - {_NOT_ON_FILE} "
        "FROM notify.agencies a CROSS JOIN notify.directory"
    )
    op.execute(
        "INSERT INTO notify.directory_versions (version, effective_on, applied_at) "
        "SELECT version, CAST(now() AT TIME ZONE 'America/New_York' AS date), now() "
        "FROM notify.directory WHERE version > 0"
    )
    for table in ("directory_versions", "agency_terms"):
        append_only(op, "notify", table)


def _proposals() -> None:
    op.create_table(
        "proposals",
        sa.Column("proposal_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False, comment="A sentence. No names of people."),
        sa.Column(
            "body",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="What would be applied; its kind reads it.",
        ),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "state", sa.Text(), nullable=False, comment="open, approved, rejected or withdrawn."
        ),
        sa.Column("proposed_by", sa.Text(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Text()),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        sa.Column("decision", sa.Text(), comment="Why, in the words of whoever decided."),
        sa.CheckConstraint(
            "(state = 'open') = (decided_by IS NULL) AND (state = 'open') = (decided_at IS NULL)",
            name="ck_proposals_decided",
        ),
        sa.CheckConstraint(
            "state NOT IN ('approved', 'rejected') OR decided_by <> proposed_by",
            name="ck_proposals_two_people",
        ),
        sa.PrimaryKeyConstraint("proposal_id"),
        schema="notify",
        comment="What one person proposes and another approves; applied in the same transaction.",
    )
    op.create_index(
        "ix_proposals_open",
        "proposals",
        ["proposed_at"],
        schema="notify",
        postgresql_where=sa.text("state = 'open'"),
    )


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
