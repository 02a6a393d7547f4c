"""The tables of HART consults, triage, flagged cases, operations, placements, repatriation.

Revises: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.runtime.append_only import append_only

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_APPEND_ONLY = (
    "consults",
    "consult_entries",
    "recusals",
    "recusal_lifts",
    "glass_breaks",
    "triage_reviews",
    "case_flag_links",
    "case_flags_found",
    "operation_readers",
    "operation_ends",
    "placements",
    "tellings",
    "placement_confirmations",
    "determinations",
    "repatriations",
    "record_views",
)


def upgrade() -> None:
    op.create_table(
        "case_flags",
        sa.Column("flag_id", sa.Text(), nullable=False),
        sa.Column(
            "case_index", sa.LargeBinary(), nullable=False, comment="HMAC of the case number."
        ),
        sa.Column("ordinal", sa.Integer(), nullable=False, comment="1 for a case's first flag."),
        sa.Column("kek_version", sa.Integer(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column(
            "key_version", sa.Integer(), nullable=False, comment="The data key's own version."
        ),
        sa.Column("sealed", sa.LargeBinary(), nullable=False, comment="Case number and reasons."),
        sa.Column("flagged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False, comment="Token subject."),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("flag_id"),
        sa.UniqueConstraint("case_index", "ordinal", name="uq_case_flags_case_index_ordinal"),
        schema="intake",
    )
    op.create_table(
        "operations",
        sa.Column("operation_id", sa.Text(), nullable=False),
        sa.Column("kek_version", sa.Integer(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column(
            "key_version", sa.Integer(), nullable=False, comment="The data key's own version."
        ),
        sa.Column(
            "sealed", sa.LargeBinary(), nullable=False, comment="Everything that was notified."
        ),
        sa.Column(
            "expires_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="Until then only the named may know.",
        ),
        sa.Column("recorded_by", sa.Text(), nullable=False, comment="Token subject."),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("operation_id"),
        schema="intake",
    )
    op.create_index(
        "ix_operations_expires_at", "operations", ["expires_at"], unique=False, schema="intake"
    )
    op.create_table(
        "record_views",
        sa.Column("disclosure_id", sa.Text(), nullable=False),
        sa.Column(
            "record_id", sa.Text(), nullable=False, comment="Of what belongs to no referral."
        ),
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
        "case_flag_links",
        sa.Column("flag_id", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["flag_id"],
            ["intake.case_flags.flag_id"],
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"],
            ["intake.referrals.referral_id"],
        ),
        sa.PrimaryKeyConstraint("flag_id"),
        schema="intake",
        comment="Append-only: the DCF-737 that a flagged case has.",
    )
    op.create_table(
        "case_flags_found",
        sa.Column("flag_id", sa.Text(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["flag_id"],
            ["intake.case_flags.flag_id"],
        ),
        sa.PrimaryKeyConstraint("flag_id"),
        schema="intake",
        comment="Append-only: flagged cases whose missing DCF-737 was reported, once each.",
    )
    op.create_table(
        "operation_ends",
        sa.Column("operation_id", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False, comment="The new end."),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["operation_id"],
            ["intake.operations.operation_id"],
        ),
        sa.PrimaryKeyConstraint("operation_id", "recorded_at"),
        schema="intake",
        comment="Append-only: every change of an operation's end.",
    )
    op.create_table(
        "operation_readers",
        sa.Column("operation_id", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False, comment="Token subject of a named person."),
        sa.ForeignKeyConstraint(
            ["operation_id"],
            ["intake.operations.operation_id"],
        ),
        sa.PrimaryKeyConstraint("operation_id", "person"),
        schema="intake",
        comment="Append-only.",
    )
    op.create_index(
        "ix_operation_readers_person",
        "operation_readers",
        ["person"],
        unique=False,
        schema="intake",
    )
    op.create_table(
        "triage_reviews",
        sa.Column("review_id", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, comment="The version reviewed."),
        sa.Column("reviewer", sa.Text(), nullable=False, comment="Token subject."),
        sa.Column("sent_to", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["referral_id"],
            ["intake.referrals.referral_id"],
        ),
        sa.PrimaryKeyConstraint("review_id"),
        schema="intake",
        comment="Append-only: the HART Director's reviews of every DCF-737.",
    )
    op.create_index(
        "ix_triage_reviews_referral_id",
        "triage_reviews",
        ["referral_id", "version"],
        unique=False,
        schema="intake",
    )
    op.create_table(
        "consults",
        sa.Column("consult_id", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("child_id", sa.Text(), nullable=False),
        sa.Column(
            "ordinal", sa.Integer(), nullable=False, comment="1 for a child's first consult."
        ),
        sa.ForeignKeyConstraint(
            ["child_id"],
            ["intake.child_keys.child_id"],
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"],
            ["intake.referrals.referral_id"],
        ),
        sa.PrimaryKeyConstraint("consult_id"),
        sa.UniqueConstraint("child_id", "ordinal", name="uq_consults_child_id_ordinal"),
        schema="intake",
        comment="Append-only. New facts open another one (C30).",
    )
    op.create_table(
        "determinations",
        sa.Column("determination_id", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("child_id", sa.Text(), nullable=False),
        sa.Column("finding", sa.Text(), nullable=False),
        sa.Column(
            "sealed", sa.LargeBinary(), nullable=False, comment="The answer and its reasons."
        ),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["child_id"],
            ["intake.child_keys.child_id"],
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"],
            ["intake.referrals.referral_id"],
        ),
        sa.PrimaryKeyConstraint("determination_id"),
        schema="intake",
        comment="Append-only: the two questions before a repatriation.",
    )
    op.create_index(
        "ix_determinations_child_id",
        "determinations",
        ["child_id", "recorded_at"],
        unique=False,
        schema="intake",
    )
    op.create_table(
        "placements",
        sa.Column("placement_id", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("child_id", sa.Text(), nullable=False),
        sa.Column(
            "sealed", sa.LargeBinary(), nullable=False, comment="The facility, and if implicated."
        ),
        sa.Column("recorded_by", sa.Text(), nullable=False, comment="Token subject."),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["child_id"],
            ["intake.child_keys.child_id"],
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"],
            ["intake.referrals.referral_id"],
        ),
        sa.PrimaryKeyConstraint("placement_id"),
        schema="intake",
        comment="Append-only: placements proposed.",
    )
    op.create_index(
        "ix_placements_child_id", "placements", ["child_id"], unique=False, schema="intake"
    )
    op.create_table(
        "recusals",
        sa.Column("recusal_id", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column(
            "person_index",
            sa.LargeBinary(),
            nullable=False,
            comment="HMAC: a conflict betrays somebody.",
        ),
        sa.Column("child_id", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False, comment="Who, and why."),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["child_id"],
            ["intake.child_keys.child_id"],
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"],
            ["intake.referrals.referral_id"],
        ),
        sa.PrimaryKeyConstraint("recusal_id"),
        schema="intake",
        comment="Append-only: who has a conflict and is kept out (C17, C18).",
    )
    op.create_index(
        "ix_recusals_referral_id", "recusals", ["referral_id"], unique=False, schema="intake"
    )
    op.create_index(
        "ix_recusals_person_index", "recusals", ["person_index"], unique=False, schema="intake"
    )
    op.create_table(
        "recusal_lifts",
        sa.Column("recusal_id", sa.Text(), nullable=False),
        sa.Column(
            "step", sa.Text(), nullable=False, comment="proposed, then confirmed by another."
        ),
        sa.Column("recorded_by", sa.Text(), nullable=False, comment="Token subject of a person."),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["recusal_id"],
            ["intake.recusals.recusal_id"],
        ),
        sa.PrimaryKeyConstraint("recusal_id", "step"),
        schema="intake",
        comment="Append-only: a recusal that is confirmed here holds no more.",
    )
    op.create_table(
        "repatriations",
        sa.Column("repatriation_id", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("child_id", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["child_id"],
            ["intake.child_keys.child_id"],
        ),
        sa.ForeignKeyConstraint(
            ["referral_id"],
            ["intake.referrals.referral_id"],
        ),
        sa.PrimaryKeyConstraint("repatriation_id"),
        schema="intake",
        comment="Append-only: repatriations that both determinations permit.",
    )
    op.create_table(
        "consult_entries",
        sa.Column("consult_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column(
            "actor", sa.Text(), nullable=False, comment="Token subject of who took the step."
        ),
        sa.Column(
            "person", sa.Text(), nullable=False, comment="The liaison of an assignment; else actor."
        ),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "sealed",
            sa.LargeBinary(),
            nullable=True,
            comment="The step's narrative; null when it has none.",
        ),
        sa.ForeignKeyConstraint(
            ["consult_id"],
            ["intake.consults.consult_id"],
        ),
        sa.PrimaryKeyConstraint("consult_id", "position"),
        schema="intake",
        comment="Append-only: a consult's whole history.",
    )
    op.create_table(
        "glass_breaks",
        sa.Column("disclosure_id", sa.Text(), nullable=False),
        sa.Column("consult_id", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column(
            "sealed", sa.LargeBinary(), nullable=False, comment="The reason, under the child's key."
        ),
        sa.Column("broken_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["consult_id"],
            ["intake.consults.consult_id"],
        ),
        sa.PrimaryKeyConstraint("disclosure_id"),
        schema="intake",
        comment="Append-only: reads by people who were not concerned, each with its reason.",
    )
    op.create_table(
        "placement_confirmations",
        sa.Column("placement_id", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["placement_id"],
            ["intake.placements.placement_id"],
        ),
        sa.PrimaryKeyConstraint("placement_id"),
        schema="intake",
        comment="Append-only.",
    )
    op.create_table(
        "tellings",
        sa.Column("disclosure_id", sa.Text(), nullable=False),
        sa.Column("placement_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, comment="Of the referral."),
        sa.Column("sealed", sa.LargeBinary(), nullable=False, comment="Who was told."),
        sa.Column(
            "fields", postgresql.ARRAY(sa.Text()), nullable=False, comment="Names of what was told."
        ),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("commitment", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["placement_id"],
            ["intake.placements.placement_id"],
        ),
        sa.PrimaryKeyConstraint("disclosure_id"),
        schema="intake",
        comment="Append-only (P2): a facility was told by word of mouth.",
    )
    op.create_index(
        "ix_tellings_placement_id", "tellings", ["placement_id"], unique=False, schema="intake"
    )
    for table in _APPEND_ONLY:
        append_only(op, "intake", table)


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
