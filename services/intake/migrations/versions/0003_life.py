"""Calls, decisions, form DCF-823, withdrawals, links, and whether two children are one.

Revises: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.runtime.append_only import append_only

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "call_views",
        sa.Column("disclosure_id", sa.Text(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False, comment="Subject of the reader's token."),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column(
            "fields", postgresql.ARRAY(sa.Text()), nullable=False, comment="Names, never values."
        ),
        sa.Column(
            "commitment", sa.Text(), nullable=False, comment="HMAC-SHA256 over what was shown."
        ),
        sa.Column("viewed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("disclosure_id"),
        schema="intake",
        comment="Append-only (P2): committed before the first byte of a read is returned.",
    )
    op.create_table(
        "calls",
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False, comment="Token subject that opened it."),
        sa.Column(
            "version",
            sa.Integer(),
            nullable=False,
            comment="Of what was typed; 0 while nothing was.",
        ),
        sa.Column(
            "received_at", sa.DateTime(timezone=True), nullable=False, comment="The clocks' basis."
        ),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), nullable=False, comment="When it was opened."
        ),
        sa.Column(
            "saved_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When something of it was last kept.",
        ),
        sa.Column("synthetic", sa.Boolean(), nullable=False),
        sa.Column(
            "kek_version",
            sa.Integer(),
            nullable=True,
            comment="Null once the call is a referral: it is shredded.",
        ),
        sa.Column("wrapped", sa.LargeBinary(), nullable=True),
        sa.Column(
            "key_version", sa.Integer(), nullable=True, comment="The data key's own version."
        ),
        sa.Column(
            "sealed", sa.LargeBinary(), nullable=True, comment="The last version of what was typed."
        ),
        sa.Column(
            "abandoned_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it was found left alone; once.",
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("referral_id", sa.Text(), nullable=True),
        sa.Column(
            "closed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When a person said that it is no referral.",
        ),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("closed_why", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["referral_id"],
            ["intake.referrals.referral_id"],
        ),
        sa.PrimaryKeyConstraint("call_id"),
        schema="intake",
    )
    op.create_index(
        "ix_calls_abandoned",
        "calls",
        ["abandoned_at"],
        unique=False,
        schema="intake",
        postgresql_where=sa.text(
            "finished_at IS NULL AND closed_at IS NULL AND abandoned_at IS NOT NULL"
        ),
    )
    op.create_index(
        "ix_calls_open",
        "calls",
        ["saved_at"],
        unique=False,
        schema="intake",
        postgresql_where=sa.text(
            "finished_at IS NULL AND closed_at IS NULL AND abandoned_at IS NULL"
        ),
    )
    op.create_index("ix_calls_received_at", "calls", ["received_at"], unique=False, schema="intake")
    op.create_table(
        "decisions",
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column(
            "decision", sa.Integer(), autoincrement=False, nullable=False, comment="The last holds."
        ),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reasons", postgresql.ARRAY(sa.Text()), nullable=False, comment="Codes."),
        sa.Column(
            "version", sa.Integer(), nullable=False, comment="Of the referral that was decided on."
        ),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False, comment="Token subject."),
        sa.ForeignKeyConstraint(
            ["referral_id"],
            ["intake.referrals.referral_id"],
        ),
        sa.PrimaryKeyConstraint("referral_id", "decision"),
        schema="intake",
        comment="Append-only.",
    )
    op.create_table(
        "referral_links",
        sa.Column("link_id", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("related_referral_id", sa.Text(), nullable=False),
        sa.Column("relation", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("linked_by", sa.Text(), nullable=False, comment="Token subject."),
        sa.ForeignKeyConstraint(
            ["referral_id"],
            ["intake.referrals.referral_id"],
        ),
        sa.ForeignKeyConstraint(
            ["related_referral_id"],
            ["intake.referrals.referral_id"],
        ),
        sa.PrimaryKeyConstraint("link_id"),
        sa.UniqueConstraint(
            "referral_id", "related_referral_id", "relation", name="uq_referral_links_once"
        ),
        schema="intake",
        comment="Append-only: both referrals stay.",
    )
    op.create_index(
        "ix_referral_links_related",
        "referral_links",
        ["related_referral_id"],
        unique=False,
        schema="intake",
    )
    op.create_table(
        "withdrawals",
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, comment="The one that was current."),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_by", sa.Text(), nullable=False, comment="Token subject."),
        sa.ForeignKeyConstraint(
            ["referral_id"],
            ["intake.referrals.referral_id"],
        ),
        sa.PrimaryKeyConstraint("referral_id"),
        schema="intake",
        comment="Append-only. The referral stays.",
    )
    op.create_table(
        "blind_index",
        sa.Column("child_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="Of what is compared."),
        sa.Column("kind", sa.Text(), nullable=False, comment="name, part_and_birth, or case."),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["child_id"],
            ["intake.child_keys.child_id"],
        ),
        sa.PrimaryKeyConstraint("child_id", "digest"),
        schema="intake",
    )
    op.create_index(
        "ix_blind_index_digest", "blind_index", ["digest"], unique=False, schema="intake"
    )
    op.create_table(
        "candidates",
        sa.Column("child_id", sa.Text(), nullable=False),
        sa.Column("other_child_id", sa.Text(), nullable=False),
        sa.Column(
            "because",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="Kinds of digest that they share.",
        ),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "answered_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Null while no person has answered.",
        ),
        sa.CheckConstraint("child_id < other_child_id", name="ck_candidates_order"),
        sa.ForeignKeyConstraint(
            ["child_id"],
            ["intake.child_keys.child_id"],
        ),
        sa.ForeignKeyConstraint(
            ["other_child_id"],
            ["intake.child_keys.child_id"],
        ),
        sa.PrimaryKeyConstraint("child_id", "other_child_id"),
        schema="intake",
    )
    op.create_index(
        "ix_candidates_other", "candidates", ["other_child_id"], unique=False, schema="intake"
    )
    op.create_index(
        "ix_candidates_waiting",
        "candidates",
        ["found_at"],
        unique=False,
        schema="intake",
        postgresql_where=sa.text("answered_at IS NULL"),
    )
    op.create_table(
        "explanations",
        sa.Column("child_id", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False, comment="decision/N or withdrawal."),
        sa.Column(
            "sealed",
            sa.LargeBinary(),
            nullable=False,
            comment="The reason in words, once per child.",
        ),
        sa.ForeignKeyConstraint(
            ["child_id"],
            ["intake.child_keys.child_id"],
        ),
        sa.PrimaryKeyConstraint("child_id", "about"),
        schema="intake",
    )
    op.create_table(
        "incidents",
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("child_id", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, comment="The current one."),
        sa.ForeignKeyConstraint(
            ["child_id"],
            ["intake.child_keys.child_id"],
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"],
            ["intake.referrals.referral_id"],
        ),
        sa.PrimaryKeyConstraint("incident_id"),
        sa.UniqueConstraint("child_id", name="uq_incidents_child_id"),
        schema="intake",
        comment="Form DCF-823, one per child of an accepted referral.",
    )
    op.create_index(
        "ix_incidents_referral_id", "incidents", ["referral_id"], unique=False, schema="intake"
    )
    op.create_table(
        "people",
        sa.Column("child_id", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column(
            "person_id", sa.Text(), nullable=False, comment="One for all children held to be one."
        ),
        sa.ForeignKeyConstraint(
            ["child_id"],
            ["intake.child_keys.child_id"],
        ),
        sa.PrimaryKeyConstraint("child_id"),
        schema="intake",
    )
    op.create_index("ix_people_person_id", "people", ["person_id"], unique=False, schema="intake")
    op.create_table(
        "sameness",
        sa.Column("child_id", sa.Text(), nullable=False),
        sa.Column("other_child_id", sa.Text(), nullable=False),
        sa.Column(
            "answer", sa.Integer(), autoincrement=False, nullable=False, comment="The last holds."
        ),
        sa.Column("same", sa.Boolean(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_by", sa.Text(), nullable=False, comment="Token subject: a person."),
        sa.ForeignKeyConstraint(
            ["child_id"],
            ["intake.child_keys.child_id"],
        ),
        sa.ForeignKeyConstraint(
            ["other_child_id"],
            ["intake.child_keys.child_id"],
        ),
        sa.PrimaryKeyConstraint("child_id", "other_child_id", "answer"),
        schema="intake",
        comment="Append-only.",
    )
    op.create_table(
        "incident_documents",
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False, comment="Under the child's own key."),
        sa.ForeignKeyConstraint(
            ["incident_id"],
            ["intake.incidents.incident_id"],
        ),
        sa.PrimaryKeyConstraint("incident_id", "version"),
        schema="intake",
    )
    op.create_table(
        "incident_versions",
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("standing", sa.Text(), nullable=False, comment="open, or acceptance_reversed."),
        sa.Column("decision", sa.Integer(), nullable=False, comment="The decision that held."),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False, comment="Token subject: the author."),
        sa.ForeignKeyConstraint(
            ["incident_id"],
            ["intake.incidents.incident_id"],
        ),
        sa.PrimaryKeyConstraint("incident_id", "version"),
        schema="intake",
        comment="Append-only: an incident is amended, never deleted.",
    )
    op.add_column(
        "referrals",
        sa.Column(
            "indexed_version",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="The one whose children the blind index knows; 0 while none is.",
        ),
        schema="intake",
    )
    op.add_column(
        "referrals",
        sa.Column(
            "indexed_key",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Version of the key under which they are indexed.",
        ),
        schema="intake",
    )
    op.create_index(
        "ix_referrals_unindexed",
        "referrals",
        ["referral_id"],
        unique=False,
        schema="intake",
        postgresql_where=sa.text("indexed_version < version AND NOT synthetic"),
    )
    append_only(op, "intake", "call_views")
    append_only(op, "intake", "decisions")
    append_only(op, "intake", "withdrawals")
    append_only(op, "intake", "incident_versions")
    append_only(op, "intake", "referral_links")
    append_only(op, "intake", "sameness")


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
