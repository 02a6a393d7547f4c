"""The tables of notify: directory, plans, notices, deliveries, disclosures, tasks, the promise.

Revises: nothing
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.runtime.append_only import append_only

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "agencies",
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "profile", sa.Text(), nullable=False, comment="Projection profile: what it may see."
        ),
        sa.Column(
            "towns", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column(
            "judicial_districts",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column(
            "authority",
            sa.Text(),
            nullable=True,
            comment="Citation that permits disclosure; null: none on file.",
        ),
        sa.Column("authority_from", sa.Date(), nullable=True),
        sa.Column(
            "authority_to",
            sa.Date(),
            nullable=True,
            comment="Last day in force; null: no end on file.",
        ),
        sa.Column("endpoint", sa.Text(), nullable=True),
        sa.Column(
            "encryption_key",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="Public P-256 JWK of the agency.",
        ),
        sa.Column(
            "allowed_networks",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("sample", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "hold_until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="The breaker: no first try or retry before this.",
        ),
        sa.Column(
            "consecutive_failures", sa.Integer(), server_default=sa.text("0"), nullable=False
        ),
        sa.PrimaryKeyConstraint("agency_id"),
        schema="notify",
    )
    op.create_table(
        "child_keys",
        sa.Column("child_id", sa.Text(), nullable=False),
        sa.Column("kek_version", sa.Integer(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("child_id"),
        schema="notify",
    )
    op.create_table(
        "copies",
        sa.Column("child_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column(
            "sealed", sa.LargeBinary(), nullable=False, comment="One child's copy for one profile."
        ),
        sa.PrimaryKeyConstraint("child_id", "version", "profile"),
        schema="notify",
    )
    op.create_table(
        "directory",
        sa.Column("id", sa.Integer(), nullable=False, comment="Always 1."),
        sa.Column(
            "version", sa.Integer(), nullable=False, comment="Grows with every change to an agency."
        ),
        sa.PrimaryKeyConstraint("id"),
        schema="notify",
    )
    op.create_table(
        "disclosure_outcomes",
        sa.Column("disclosure_id", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False, comment="completed, failed or unknown."),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("disclosure_id", "outcome"),
        schema="notify",
        comment="Append-only, insert-once per outcome. `unknown` may be followed by a late status.",
    )
    op.create_table(
        "inbox",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column(
            "received_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "skipped_by",
            sa.Text(),
            nullable=True,
            comment="Who decided that it is not handled; else null.",
        ),
        sa.PrimaryKeyConstraint("topic", "source", "subject", "sequence"),
        schema="notify",
    )
    op.create_index(
        "ix_inbox_received_at",
        "inbox",
        ["received_at"],
        unique=False,
        schema="notify",
        postgresql_using="brin",
    )
    op.create_index(
        "ix_inbox_waiting",
        "inbox",
        ["received_at"],
        unique=False,
        schema="notify",
        postgresql_where=sa.text("done_at IS NULL"),
    )
    op.create_table(
        "inbox_cursors",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.Column(
            "moved_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("topic", "partition"),
        schema="notify",
    )
    op.create_table(
        "inbox_quarantine",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column(
            "body",
            sa.LargeBinary(),
            nullable=True,
            comment="Only when it parsed, so holds no personal data.",
        ),
        sa.Column(
            "quarantined_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("released_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("topic", "partition", "offset"),
        schema="notify",
    )
    op.create_table(
        "inbox_streams",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False, comment="Last finished sequence."),
        sa.Column("highest", sa.BigInteger(), nullable=False, comment="Highest sequence received."),
        sa.Column(
            "ready_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When to look at it; null when nothing waits.",
        ),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "last_error",
            sa.Text(),
            nullable=True,
            comment="Name of the last error's class; never its text.",
        ),
        sa.Column(
            "gap_since",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Since when the next sequence has been missing.",
        ),
        sa.Column("parked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("parked_reason", sa.Text(), nullable=True),
        sa.Column("lease_owner", sa.Integer(), nullable=True),
        sa.Column("lease_token", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("topic", "source", "subject"),
        schema="notify",
    )
    op.create_index(
        "ix_inbox_streams_leased",
        "inbox_streams",
        ["lease_owner"],
        unique=False,
        schema="notify",
        postgresql_where=sa.text("lease_owner IS NOT NULL"),
    )
    op.create_index(
        "ix_inbox_streams_parked",
        "inbox_streams",
        ["parked_at"],
        unique=False,
        schema="notify",
        postgresql_where=sa.text("parked_at IS NOT NULL"),
    )
    op.create_index(
        "ix_inbox_streams_ready",
        "inbox_streams",
        ["ready_at"],
        unique=False,
        schema="notify",
        postgresql_where=sa.text("ready_at IS NOT NULL AND parked_at IS NULL"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="The CloudEvent, as sent."),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "sent_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the bus acknowledged it; null while pending.",
        ),
        sa.PrimaryKeyConstraint("id"),
        schema="notify",
    )
    op.create_index(
        "ix_outbox_created_at",
        "outbox",
        ["created_at"],
        unique=False,
        schema="notify",
        postgresql_using="brin",
    )
    op.create_index(
        "ix_outbox_pending",
        "outbox",
        ["id"],
        unique=False,
        schema="notify",
        postgresql_where=sa.text("sent_at IS NULL"),
    )
    op.create_table(
        "outbox_heads",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False, comment="The last one given out."),
        sa.PrimaryKeyConstraint("topic", "subject"),
        schema="notify",
    )
    op.create_table(
        "plans",
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("rules_version", sa.Text(), nullable=False),
        sa.Column("directory_version", sa.Integer(), nullable=False),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("referral_id", "version"),
        schema="notify",
        comment="Append-only (P3): which referral versions were planned, by which rules.",
    )
    op.create_table(
        "refusals",
        sa.Column(
            "notice_id", sa.Text(), nullable=False, comment="Of the notice that was not made."
        ),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("child_id", sa.Text(), nullable=False),
        sa.Column(
            "agency_id", sa.Text(), nullable=True, comment="Null when no agency fits the role."
        ),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("refused_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("notice_id"),
        schema="notify",
        comment="Append-only: legs refused when planned (P3). Nothing was ever sent for these.",
    )
    op.create_index(
        "ix_refusals_referral", "refusals", ["referral_id"], unique=False, schema="notify"
    )
    op.create_table(
        "relay_leader",
        sa.Column("id", sa.Integer(), nullable=False, comment="Always 1."),
        sa.Column("epoch", sa.BigInteger(), nullable=False, comment="Grows with every new leader."),
        sa.Column("elected_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="notify",
    )
    op.create_table(
        "tasks",
        sa.Column("task_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column(
            "about",
            sa.Text(),
            nullable=False,
            comment="What it is about; one task per kind and this.",
        ),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column(
            "detail",
            sa.Text(),
            nullable=False,
            comment="A sentence that says what to do. No names.",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("task_id"),
        schema="notify",
    )
    op.create_index(
        "ix_tasks_open",
        "tasks",
        ["created_at"],
        unique=False,
        schema="notify",
        postgresql_where=sa.text("acknowledged_at IS NULL"),
    )
    op.create_index("uq_tasks_about", "tasks", ["kind", "about"], unique=True, schema="notify")
    op.create_table(
        "notices",
        sa.Column("notice_id", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("referral_number", sa.Text(), nullable=False),
        sa.Column("child_id", sa.Text(), nullable=False),
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "kind", sa.Text(), nullable=False, comment="original, correction or supersession."
        ),
        sa.Column(
            "supersedes",
            sa.Integer(),
            nullable=True,
            comment="Latest version this recipient may hold.",
        ),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column(
            "profile",
            sa.Text(),
            nullable=True,
            comment="Null for a supersession, which has no content.",
        ),
        sa.Column("fields", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("commitment", sa.Text(), nullable=False),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column(
            "because", sa.Text(), nullable=False, comment="The rule in words, for this recipient."
        ),
        sa.Column("rules_version", sa.Text(), nullable=False),
        sa.Column("directory_version", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("synthetic", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agency_id"],
            ["notify.agencies.agency_id"],
        ),
        sa.PrimaryKeyConstraint("notice_id"),
        schema="notify",
        comment="Frozen when planned; what happens to a notice is in deliveries.",
    )
    op.create_index(
        "uq_notices_recipient_version",
        "notices",
        ["referral_id", "child_id", "agency_id", "version"],
        unique=True,
        schema="notify",
    )
    op.create_table(
        "deliveries",
        sa.Column("notice_id", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("child_id", sa.Text(), nullable=False),
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            sa.Text(),
            nullable=False,
            comment="pending, blocked, attempting, delivered, superseded, refused or closed.",
        ),
        sa.Column(
            "superseded_by",
            sa.Integer(),
            nullable=True,
            comment="Set while an attempt is open: do not retry.",
        ),
        sa.Column(
            "next_attempt_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Set exactly while pending.",
        ),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "open_disclosure_id",
            sa.Text(),
            nullable=True,
            comment="The attempt under way, and the lease's token; set exactly while attempting.",
        ),
        sa.Column(
            "attempt_deadline",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the open attempt must be over.",
        ),
        sa.Column("lease_owner", sa.Integer(), nullable=True),
        sa.Column(
            "delivered_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="The first 2xx, however late it came to light.",
        ),
        sa.Column(
            "ended_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it came to need no further attempt.",
        ),
        sa.ForeignKeyConstraint(
            ["notice_id"],
            ["notify.notices.notice_id"],
        ),
        sa.PrimaryKeyConstraint("notice_id"),
        schema="notify",
    )
    op.create_index(
        "ix_deliveries_attempting",
        "deliveries",
        ["attempt_deadline"],
        unique=False,
        schema="notify",
        postgresql_where=sa.text("state = 'attempting'"),
    )
    op.create_index(
        "ix_deliveries_blocked",
        "deliveries",
        ["notice_id"],
        unique=False,
        schema="notify",
        postgresql_where=sa.text("state = 'blocked'"),
    )
    op.create_index(
        "ix_deliveries_first_tries",
        "deliveries",
        ["agency_id", "next_attempt_at"],
        unique=False,
        schema="notify",
        postgresql_where=sa.text("state = 'pending' AND attempts = 0"),
    )
    op.create_index(
        "ix_deliveries_retries",
        "deliveries",
        ["agency_id", "next_attempt_at"],
        unique=False,
        schema="notify",
        postgresql_where=sa.text("state = 'pending' AND attempts > 0"),
    )
    op.create_index(
        "ix_deliveries_recipient",
        "deliveries",
        ["referral_id", "child_id", "agency_id"],
        unique=False,
        schema="notify",
    )
    op.create_table(
        "disclosures",
        sa.Column("disclosure_id", sa.Text(), nullable=False),
        sa.Column("notice_id", sa.Text(), nullable=False),
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column("attempted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["notice_id"],
            ["notify.notices.notice_id"],
        ),
        sa.PrimaryKeyConstraint("disclosure_id"),
        schema="notify",
        comment="Append-only (P2): committed before the first byte of an attempt leaves.",
    )
    op.create_index(
        "ix_disclosures_notice", "disclosures", ["notice_id"], unique=False, schema="notify"
    )
    for table in ("plans", "notices", "refusals", "disclosures", "disclosure_outcomes"):
        append_only(op, "notify", table)


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
