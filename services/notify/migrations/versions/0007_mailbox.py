"""Channels, the mailbox and word of mouth. Expands: code of before runs on it.

Revises: 0006
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from shared.runtime.append_only import append_only

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_NOTICE = ["notify.notices.notice_id"]
_DISCLOSURE = ["notify.disclosures.disclosure_id"]


def upgrade() -> None:
    _channels()
    _deliveries()
    _mailboxes()
    _openings()
    _answers()
    _tellings()
    for table in ("mailbox_items", "openings", "acknowledgements", "returns", "tellings"):
        append_only(op, "notify", table)


def _channels() -> None:
    encrypted = sa.text("'encrypted'")
    for column in (
        sa.Column("channel", sa.Text(), nullable=False, server_default=encrypted),
        sa.Column("email", sa.Text(), comment="A desk's, for pointers without content."),
        sa.Column(
            "webhook_secrets",
            ARRAY(sa.LargeBinary()),
            nullable=False,
            server_default=sa.text("'{}'"),
            comment="Sealed whsec_ secrets, where it asks for v1: the newest, and the one before "
            "it.",
        ),
        sa.Column("webhook_secret_ends", _TIME, comment="Until when the one before it signs too."),
    ):
        op.add_column("agencies", column, schema="notify")
    op.add_column(
        "disclosures",
        sa.Column(
            "channel",
            sa.Text(),
            nullable=False,
            server_default=encrypted,
            comment="By pickup and email nothing of a child leaves.",
        ),
        schema="notify",
    )


def _deliveries() -> None:
    for name, comment in (
        ("unread_since", "A pointer arrived, and nobody has opened it since."),
        ("opened_at", "First opened in the mailbox, or told by word of mouth."),
        ("acknowledged_at", "When its recipient first said that it has it."),
    ):
        op.add_column("deliveries", sa.Column(name, _TIME, comment=comment), schema="notify")
    op.create_index(
        "ix_deliveries_unread",
        "deliveries",
        ["unread_since"],
        schema="notify",
        postgresql_where=sa.text("state = 'delivered' AND unread_since IS NOT NULL"),
    )
    op.create_index(
        "ix_deliveries_unacknowledged",
        "deliveries",
        ["opened_at"],
        schema="notify",
        postgresql_where=sa.text("opened_at IS NOT NULL AND acknowledged_at IS NULL"),
    )
    op.create_index(
        "ix_notices_agency", "notices", ["agency_id", "planned_at", "notice_id"], schema="notify"
    )


def _mailboxes() -> None:
    op.create_table(
        "mailboxes",
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False, comment="The number that was given last."),
        sa.Column(
            "looked_at", _TIME, nullable=False, comment="When its new notices were last numbered."
        ),
        sa.ForeignKeyConstraint(["agency_id"], ["notify.agencies.agency_id"]),
        sa.PrimaryKeyConstraint("agency_id"),
        schema="notify",
    )
    op.create_table(
        "mailbox_items",
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("notice_id", sa.Text(), nullable=False),
        sa.Column("listed_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["agency_id"], ["notify.mailboxes.agency_id"]),
        sa.ForeignKeyConstraint(["notice_id"], _NOTICE),
        sa.PrimaryKeyConstraint("agency_id", "number"),
        sa.UniqueConstraint("notice_id", name="uq_mailbox_items_notice"),
        schema="notify",
        comment="Append-only: in which order a recipient was first shown its notices.",
    )


def _openings() -> None:
    op.create_table(
        "openings",
        sa.Column("disclosure_id", sa.Text(), nullable=False),
        sa.Column("notice_id", sa.Text(), nullable=False),
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column("opened_by", sa.Text(), nullable=False, comment="Token subject of the person."),
        sa.Column("purpose", sa.Text(), nullable=False, comment="A code, never a story."),
        sa.Column("opened_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["disclosure_id"], _DISCLOSURE),
        sa.ForeignKeyConstraint(["notice_id"], _NOTICE),
        sa.PrimaryKeyConstraint("disclosure_id"),
        schema="notify",
        comment="Append-only (P2): reads in the mailbox, committed before their first byte.",
    )
    op.create_index("ix_openings_notice", "openings", ["notice_id"], schema="notify")


def _answers() -> None:
    op.create_table(
        "acknowledgements",
        sa.Column("acknowledgement_id", sa.Text(), nullable=False),
        sa.Column("notice_id", sa.Text(), nullable=False),
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column("acknowledged_by", sa.Text(), nullable=False, comment="Token subject."),
        sa.Column("acknowledged_at", _TIME, nullable=False),
        sa.Column(
            "sealed",
            sa.LargeBinary(),
            nullable=False,
            comment="Received by, case number, disposition.",
        ),
        sa.ForeignKeyConstraint(["notice_id"], _NOTICE),
        sa.PrimaryKeyConstraint("acknowledgement_id"),
        schema="notify",
        comment="Append-only: what recipients say they have done with a notice.",
    )
    op.create_index(
        "ix_acknowledgements_notice", "acknowledgements", ["notice_id"], schema="notify"
    )
    op.create_table(
        "returns",
        sa.Column("notice_id", sa.Text(), nullable=False),
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False, comment="A code, never a story."),
        sa.Column("returned_by", sa.Text(), nullable=False, comment="Token subject."),
        sa.Column("returned_at", _TIME, nullable=False),
        sa.Column(
            "assertion_id",
            sa.Text(),
            nullable=False,
            comment="What holds it from being told again.",
        ),
        sa.ForeignKeyConstraint(["notice_id"], _NOTICE),
        sa.PrimaryKeyConstraint("notice_id"),
        schema="notify",
        comment="Append-only: notices of which the recipient says that they are not its own.",
    )


def _tellings() -> None:
    op.create_table(
        "tellings",
        sa.Column("disclosure_id", sa.Text(), nullable=False),
        sa.Column("notice_id", sa.Text(), nullable=False),
        sa.Column("agency_id", sa.Text(), nullable=False),
        sa.Column(
            "told_by",
            sa.Text(),
            nullable=False,
            comment="Token subject of the person who told it.",
        ),
        sa.Column("told_at", _TIME, nullable=False),
        sa.Column("recorded_at", _TIME, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False, comment="Whom they spoke to."),
        sa.ForeignKeyConstraint(["disclosure_id"], _DISCLOSURE),
        sa.ForeignKeyConstraint(["notice_id"], _NOTICE),
        sa.PrimaryKeyConstraint("disclosure_id"),
        schema="notify",
        comment="Append-only (C32): told by word of mouth, the confidentiality warning read.",
    )
    op.create_index(
        "uq_tellings", "tellings", ["notice_id", "told_at"], unique=True, schema="notify"
    )


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
