"""Plans of later stages, withdrawals, recalls, closings. Expands: code of before runs on it.

Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

from shared.runtime.append_only import append_only

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_RECEIVED = sa.text("'received'")
_NONE = sa.text("0")


def upgrade() -> None:
    _notices()
    _refusals_and_deliveries()
    _staged_plans()
    _ends()
    for table in ("staged_plans", "withdrawals", "recalls", "closings"):
        append_only(op, "notify", table)


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")


def _notices() -> None:
    for column in (
        sa.Column(
            "series",
            sa.Text(),
            nullable=False,
            server_default=_RECEIVED,
            comment="Which notices replace one another: received, accepted, a share, a withdrawal.",
        ),
        sa.Column(
            "revision",
            sa.Integer(),
            nullable=False,
            server_default=_NONE,
            comment="Of one version the higher counts: the decision that an accepted stage "
            "follows.",
        ),
        sa.Column("form", sa.Text(), nullable=False, server_default=sa.text("'dcf_737'")),
        sa.Column(
            "part", sa.Text(), comment="In `copies`, by this profile: what its kind is about."
        ),
        sa.Column("cause", sa.Text(), comment="A withdrawal's."),
        sa.Column("recalls", sa.Text(), comment="The notice that a recall asks back."),
    ):
        op.add_column("notices", column, schema="notify")
    op.alter_column(
        "notices",
        "kind",
        comment="As NoticeKind.",
        existing_comment="original, correction or supersession.",
        schema="notify",
    )
    op.drop_index("uq_notices_recipient_version", "notices", schema="notify")
    op.create_index(
        "uq_notices_recipient_version",
        "notices",
        ["referral_id", "child_id", "agency_id", "series", "version", "revision"],
        unique=True,
        schema="notify",
    )


def _refusals_and_deliveries() -> None:
    op.add_column(
        "refusals",
        sa.Column("series", sa.Text(), nullable=False, server_default=_RECEIVED),
        schema="notify",
    )
    op.add_column(
        "refusals",
        sa.Column("revision", sa.Integer(), nullable=False, server_default=_NONE),
        schema="notify",
    )
    op.add_column(
        "deliveries",
        sa.Column("series", sa.Text(), nullable=False, server_default=_RECEIVED),
        schema="notify",
    )
    op.add_column(
        "deliveries",
        sa.Column(
            "withdrawn",
            sa.Boolean(),
            nullable=False,
            server_default=sa.text("false"),
            comment="Set while an attempt is open: withdrawn meanwhile, do not retry.",
        ),
        schema="notify",
    )
    op.alter_column(
        "deliveries",
        "state",
        comment="pending, blocked, attempting, delivered, superseded, withdrawn, refused or "
        "closed.",
        existing_comment="pending, blocked, attempting, delivered, superseded, refused or closed.",
        schema="notify",
    )


def _staged_plans() -> None:
    op.create_table(
        "staged_plans",
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("series", sa.Text(), nullable=False, comment="accepted, or a share's id."),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column(
            "accepted",
            sa.Boolean(),
            nullable=False,
            comment="False: the acceptance was reversed.",
        ),
        sa.Column(
            "consult_id", sa.Text(), comment="Of a share: what is shared, and of which child."
        ),
        sa.Column("child_id", sa.Text()),
        sa.Column("rules_version", sa.Text(), nullable=False),
        sa.Column("directory_version", sa.Integer(), nullable=False),
        sa.Column("planned_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("referral_id", "series", "version", "revision"),
        schema="notify",
        comment="Append-only (P3): plans of the later stages, each by its referral version and "
        "decision.",
    )


def _ends() -> None:
    op.create_table(
        "withdrawals",
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("withdrawn_at", _TIME, nullable=False),
        sa.Column("planned_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("referral_id"),
        schema="notify",
        comment="Append-only: withdrawn referrals. Nothing is planned for one after this.",
    )
    op.create_table(
        "recalls",
        sa.Column("notice_id", sa.Text(), nullable=False),
        sa.Column(
            "recall_notice_id",
            sa.Text(),
            comment="Null: the wrong recipient may not be told even that.",
        ),
        sa.Column("reason", sa.Text(), nullable=False, comment="A code, never a story."),
        sa.Column("recalled_by", sa.Text(), nullable=False),
        sa.Column("recalled_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["notice_id"], ["notify.notices.notice_id"]),
        sa.ForeignKeyConstraint(["recall_notice_id"], ["notify.notices.notice_id"]),
        sa.PrimaryKeyConstraint("notice_id"),
        schema="notify",
        comment="Append-only: misdirected disclosures, each an incident. What was disclosed "
        "stays on record.",
    )
    op.create_table(
        "closings",
        sa.Column("notice_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False, comment="A code, never a story."),
        sa.Column("closed_by", sa.Text(), nullable=False),
        sa.Column("closed_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["notice_id"], ["notify.notices.notice_id"]),
        sa.PrimaryKeyConstraint("notice_id"),
        schema="notify",
        comment="Append-only: notices that a named person has ended undelivered.",
    )
