"""The tables of the statistics: coded facts, their standing, releases, exports.

Revises: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.runtime.append_only import append_only

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

APPEND_ONLY = (
    "statistics_changes",
    "statistics_releases",
    "statistics_exports",
    "statistics_approvals",
    "statistics_disclosures",
)


def upgrade() -> None:
    _waiting()
    _facts()
    _releases()
    _exports()
    for table in APPEND_ONLY:
        append_only(op, "intake", table)


def _waiting() -> None:
    op.add_column(
        "referrals",
        sa.Column(
            "tallied",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="The version that the statistics have counted.",
        ),
        schema="intake",
    )
    op.create_index(
        "ix_referrals_untallied",
        "referrals",
        ["referral_id"],
        unique=False,
        schema="intake",
        postgresql_where=sa.text("tallied < version"),
    )
    op.create_table(
        "statistics_marks",
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column(
            "child_id", sa.Text(), nullable=False, comment="Empty if it is about the referral."
        ),
        sa.Column(
            "mark", sa.Text(), nullable=False, comment="Why it does not count, or whose it is."
        ),
        sa.Column("person_id", sa.Text(), nullable=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("referral_id", "child_id", "mark"),
        schema="intake",
        comment="How a referral stands beside its documents (standing_store.py).",
    )
    op.create_table(
        "statistics_recounts",
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("referral_id", "due_at"),
        schema="intake",
        comment="A queue: referrals to be tallied again though they have no new version.",
    )
    op.create_index(
        "ix_statistics_recounts_due_at",
        "statistics_recounts",
        ["due_at"],
        unique=False,
        schema="intake",
    )


def _facts() -> None:
    op.create_table(
        "statistics_facts",
        sa.Column("child", sa.LargeBinary(), nullable=False, comment="HMAC of a child's id."),
        sa.Column(
            "referral", sa.LargeBinary(), nullable=False, comment="HMAC of its referral's id."
        ),
        sa.Column(
            "person",
            sa.LargeBinary(),
            nullable=False,
            comment="HMAC of the person's, or child's, id.",
        ),
        sa.Column(
            "month", sa.Integer(), nullable=False, comment="Received: year * 12 + month - 1."
        ),
        sa.Column("race", sa.Text(), nullable=False),
        sa.Column("age_band", sa.Text(), nullable=False, comment="At victimisation."),
        sa.Column("residence", sa.Text(), nullable=False, comment="At exploitation."),
        sa.Column("gender", sa.Text(), nullable=False),
        sa.Column("ht_type", sa.Text(), nullable=False),
        sa.Column("venues", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column(
            "towns",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="HMACs; none of an address-confidential child.",
        ),
        sa.Column("facility", sa.LargeBinary(), nullable=True, comment="HMAC of its folded name."),
        sa.Column("identified", sa.Boolean(), nullable=False, comment="By a Decision Map."),
        sa.PrimaryKeyConstraint("child"),
        schema="intake",
        comment="What counts: made from sealed documents, and made again at will.",
    )
    op.create_index(
        "ix_statistics_facts_person", "statistics_facts", ["person"], unique=False, schema="intake"
    )
    op.create_index(
        "ix_statistics_facts_facility",
        "statistics_facts",
        ["facility"],
        unique=False,
        schema="intake",
        postgresql_where=sa.text("facility IS NOT NULL"),
    )
    op.create_table(
        "statistics_counts",
        sa.Column("span", sa.Text(), nullable=False, comment="sum, month or year (counting.py)."),
        sa.Column(
            "period",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="A month, or a year.",
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="Of the table."),
        sa.Column("code", sa.Text(), nullable=False, comment="Of its row."),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("span", "period", "name", "code"),
        schema="intake",
        comment="Kept with the facts, so that no answer has to count rows.",
    )
    op.create_table(
        "statistics_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column(
            "columns", postgresql.ARRAY(sa.Text()), nullable=False, comment="Names, never codes."
        ),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="intake",
        comment="Append-only: what changed in a year that had been released, and why.",
    )
    op.create_index(
        "ix_statistics_changes_year",
        "statistics_changes",
        ["year", "id"],
        unique=False,
        schema="intake",
    )


def _releases() -> None:
    op.create_table(
        "statistics_releases",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False, comment="Token subject."),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "tables",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="Exact.",
        ),
        sa.Column(
            "withheld",
            postgresql.ARRAY(sa.Text()),
            nullable=True,
            comment="Cells; null: nothing is public.",
        ),
        sa.Column(
            "through_change", sa.BigInteger(), nullable=False, comment="The last change in it."
        ),
        sa.Column("key_digest", sa.LargeBinary(), nullable=False),
        sa.Column("body_digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("made_by", "key_digest", name="uq_statistics_releases_key"),
        schema="intake",
        comment="Append-only.",
    )


def _exports() -> None:
    op.create_table(
        "statistics_exports",
        sa.Column("export_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("month", sa.Integer(), nullable=True),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False, comment="Token subject of a person."),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key_digest", sa.LargeBinary(), nullable=False),
        sa.Column("body_digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("export_id"),
        sa.UniqueConstraint("asked_by", "key_digest", name="uq_statistics_exports_key"),
        schema="intake",
        comment="Append-only: who asked for exact figures.",
    )
    op.create_table(
        "statistics_approvals",
        sa.Column("export_id", sa.Text(), nullable=False),
        sa.Column(
            "approved_by", sa.Text(), nullable=False, comment="Another person than who asked."
        ),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("export_id"),
        schema="intake",
        comment="Append-only.",
    )
    op.create_table(
        "statistics_disclosures",
        sa.Column("disclosure_id", sa.Text(), nullable=False),
        sa.Column("export_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column(
            "tables", postgresql.ARRAY(sa.Text()), nullable=False, comment="Names, never figures."
        ),
        sa.Column(
            "commitment", sa.Text(), nullable=False, comment="HMAC-SHA256 over what was shown."
        ),
        sa.Column("exported_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("disclosure_id"),
        schema="intake",
        comment="Append-only (P2): committed before the first byte of exact figures is returned.",
    )


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
