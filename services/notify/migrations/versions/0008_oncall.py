"""Controls, the on-call roster and its pages, synthetic referrals, enrolment. Expands: code of
before runs on it.

Revises: 0007
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.runtime.append_only import append_only

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column(
        "agencies",
        sa.Column("halted", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        schema="notify",
    )
    op.create_table(
        "halts",
        sa.Column("halt_id", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False, comment="pause, stop or restored."),
        sa.Column("agency_id", sa.Text(), comment="Null: everybody."),
        sa.Column(
            "reason", sa.Text(), nullable=False, comment="For the record; nothing about a child."
        ),
        sa.Column(
            "set_by",
            sa.Text(),
            nullable=False,
            comment="A person; `hartline` for a restored database.",
        ),
        sa.Column("set_at", _TIME, nullable=False),
        sa.Column("lifted_by", sa.Text()),
        sa.Column("lifted_at", _TIME),
        sa.Column("lifted_why", sa.Text()),
        sa.CheckConstraint("(cause = 'pause') = (agency_id IS NOT NULL)", name="ck_halts_whom"),
        sa.CheckConstraint("(lifted_by IS NULL) = (lifted_at IS NULL)", name="ck_halts_lifted"),
        sa.ForeignKeyConstraint(["agency_id"], ["notify.agencies.agency_id"]),
        sa.PrimaryKeyConstraint("halt_id"),
        schema="notify",
        comment="While one is open, nothing it covers is claimed; `agencies.halted` says so per "
        "row.",
    )
    op.create_index(
        "uq_halts_open",
        "halts",
        ["cause", sa.literal_column("coalesce(agency_id, '')")],
        unique=True,
        schema="notify",
        postgresql_where=sa.text("lifted_at IS NULL"),
    )
    op.create_table(
        "holds",
        sa.Column("notice_id", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False, comment="pause, stop, restored or breaker."),
        sa.Column("held_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["notice_id"], ["notify.notices.notice_id"]),
        sa.PrimaryKeyConstraint("notice_id"),
        schema="notify",
        comment="Append-only: notices that were due and held, each told of once.",
    )
    op.create_table(
        "marks",
        sa.Column("id", sa.Integer(), nullable=False, comment="Always 1."),
        sa.Column("count", sa.BigInteger(), nullable=False, comment="Grows while notify runs."),
        sa.PrimaryKeyConstraint("id"),
        schema="notify",
        comment="Compared with a file outside: a restored database has counted less far.",
    )
    op.create_table(
        "redrives",
        sa.Column("redrive_id", sa.Text(), nullable=False),
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column("planned_from", _TIME, nullable=False),
        sa.Column("planned_until", _TIME, nullable=False),
        sa.Column(
            "delivered_too", sa.Boolean(), nullable=False, comment="A disclosure again, and wanted."
        ),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column(
            "proposal_id",
            sa.Text(),
            comment="That two people agreed to, of more notices than one may have sent again.",
        ),
        sa.Column("asked_at", _TIME, nullable=False),
        sa.Column("listed", sa.Integer(), nullable=False),
        sa.Column("finished_at", _TIME),
        sa.Column("cancelled_by", sa.Text()),
        sa.ForeignKeyConstraint(["agency_id"], ["notify.agencies.agency_id"]),
        sa.ForeignKeyConstraint(["proposal_id"], ["notify.proposals.proposal_id"]),
        sa.PrimaryKeyConstraint("redrive_id"),
        schema="notify",
        comment="Jobs that send an agency again what was planned for it in a period.",
    )
    op.create_index(
        "ix_redrives_open",
        "redrives",
        ["asked_at"],
        unique=False,
        schema="notify",
        postgresql_where=sa.text("finished_at IS NULL"),
    )
    op.create_table(
        "redriven",
        sa.Column("redrive_id", sa.Text(), nullable=False),
        sa.Column("notice_id", sa.Text(), nullable=False),
        sa.Column("queued_at", _TIME, comment="When it was last made due; null: not yet."),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("ended_at", _TIME),
        sa.Column(
            "ended_as", sa.Text(), comment="accepted, left (not to be sent any more) or cancelled."
        ),
        sa.ForeignKeyConstraint(["notice_id"], ["notify.notices.notice_id"]),
        sa.ForeignKeyConstraint(["redrive_id"], ["notify.redrives.redrive_id"]),
        sa.PrimaryKeyConstraint("redrive_id", "notice_id"),
        schema="notify",
    )
    op.create_index(
        "ix_redriven_open",
        "redriven",
        ["redrive_id", "queued_at"],
        unique=False,
        schema="notify",
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "rosters",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "body",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="The roster as its file has it.",
        ),
        sa.Column("proposal_id", sa.Text(), nullable=False),
        sa.Column("applied_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["proposal_id"], ["notify.proposals.proposal_id"]),
        sa.PrimaryKeyConstraint("version"),
        schema="notify",
        comment="Append-only: who is on call, by whose decision. The newest is in force.",
    )
    op.create_table(
        "roster_overrides",
        sa.Column("override_id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column(
            "person", sa.Text(), nullable=False, comment="Who comes in: an id of the roster."
        ),
        sa.Column("instead_of", sa.Text(), comment="Whose alarms they take; null: nobody's."),
        sa.Column("starts_at", _TIME, nullable=False),
        sa.Column("ends_at", _TIME, nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("proposal_id", sa.Text()),
        sa.Column("made_at", _TIME, nullable=False),
        sa.CheckConstraint(
            "instead_of IS NULL OR proposal_id IS NOT NULL", name="ck_roster_overrides_two_people"
        ),
        sa.CheckConstraint("starts_at < ends_at", name="ck_roster_overrides_period"),
        sa.ForeignKeyConstraint(["proposal_id"], ["notify.proposals.proposal_id"]),
        sa.PrimaryKeyConstraint("override_id"),
        schema="notify",
    )
    op.create_index(
        "ix_roster_overrides_ends_at",
        "roster_overrides",
        ["ends_at"],
        unique=False,
        schema="notify",
    )
    op.create_table(
        "pagings",
        sa.Column("task_id", sa.Text(), nullable=False),
        sa.Column("rounds", sa.Integer(), nullable=False, comment="Begun so far."),
        sa.Column("look_at", _TIME, nullable=False, comment="When to look again whether to page."),
        sa.Column("reached_at", _TIME, comment="When a pager first took a page of it."),
        sa.ForeignKeyConstraint(["task_id"], ["notify.tasks.task_id"]),
        sa.PrimaryKeyConstraint("task_id"),
        schema="notify",
    )
    op.create_index("ix_pagings_look_at", "pagings", ["look_at"], unique=False, schema="notify")
    op.create_table(
        "pages",
        sa.Column("task_id", sa.Text(), nullable=False),
        sa.Column("round", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "person", sa.Text(), nullable=False, comment="An id of the roster; never a name."
        ),
        sa.Column("claimed_at", _TIME, nullable=False),
        sa.Column(
            "ended_at", _TIME, comment="Null while it is being sent, or whoever sent it died."
        ),
        sa.Column("outcome", sa.Text(), comment="taken, failed or lost."),
        sa.ForeignKeyConstraint(["task_id"], ["notify.tasks.task_id"]),
        sa.PrimaryKeyConstraint("task_id", "round", "person"),
        schema="notify",
        comment="One page per task, round and person: claimed before it is sent, never sent twice.",
    )
    op.create_index(
        "ix_pages_open",
        "pages",
        ["claimed_at"],
        unique=False,
        schema="notify",
        postgresql_where=sa.text("outcome IS NULL"),
    )
    op.create_table(
        "drills",
        sa.Column(
            "slot",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="Which minute's it is.",
        ),
        sa.Column("begun_at", _TIME, nullable=False),
        sa.Column("referral_id", sa.Text(), comment="Null: intake has not taken it."),
        sa.Column("passed_at", _TIME, comment="When all of it had been seen to arrive."),
        sa.PrimaryKeyConstraint("slot"),
        schema="notify",
        comment="Synthetic referrals that prove the whole way alive.",
    )
    op.create_index("ix_drills_passed_at", "drills", ["passed_at"], unique=False, schema="notify")
    op.create_table(
        "drill_receipts",
        sa.Column("notice_id", sa.Text(), nullable=False),
        sa.Column("received_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("notice_id"),
        schema="notify",
        comment="What the built-in recipient has verified and opened.",
    )
    op.create_table(
        "enrolments",
        sa.Column("enrolment_id", sa.Text(), nullable=False),
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column(
            "code_hash", sa.Text(), comment="SHA-256 of the one-time code; null once it is used."
        ),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("wrong_codes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("invited_by", sa.Text(), nullable=False),
        sa.Column("invited_at", _TIME, nullable=False),
        sa.Column("submitted_by", sa.Text()),
        sa.Column("submitted_at", _TIME),
        sa.Column("endpoint", sa.Text()),
        sa.Column(
            "encryption_key",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            comment="Public P-256 JWK.",
        ),
        sa.Column("thumbprint", sa.Text(), comment="RFC 7638, of the key."),
        sa.Column("proved_at", _TIME, comment="When the endpoint opened a challenge to that key."),
        sa.Column(
            "confirmed_by",
            sa.Text(),
            comment="Who had the fingerprint read to them: another person.",
        ),
        sa.Column("confirmed_at", _TIME),
        sa.Column("tested_at", _TIME, comment="When the endpoint accepted a test notice."),
        sa.Column("proposal_id", sa.Text()),
        sa.Column("ended_by", sa.Text()),
        sa.Column("ended_at", _TIME),
        sa.CheckConstraint("confirmed_by <> invited_by", name="ck_enrolments_two_people"),
        sa.ForeignKeyConstraint(["agency_id"], ["notify.agencies.agency_id"]),
        sa.ForeignKeyConstraint(["proposal_id"], ["notify.proposals.proposal_id"]),
        sa.PrimaryKeyConstraint("enrolment_id"),
        schema="notify",
    )
    op.create_index(
        "uq_enrolments_open",
        "enrolments",
        ["agency_id"],
        unique=True,
        schema="notify",
        postgresql_where=sa.text("proposal_id IS NULL AND ended_at IS NULL"),
    )
    op.create_table(
        "certificates",
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("not_after", _TIME, comment="Null: it could not be looked at."),
        sa.Column("looked_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["agency_id"], ["notify.agencies.agency_id"]),
        sa.PrimaryKeyConstraint("agency_id"),
        schema="notify",
        comment="When the certificate of an endpoint ends, as last seen.",
    )
    for table in ("holds", "rosters", "drill_receipts"):
        append_only(op, "notify", table)


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
