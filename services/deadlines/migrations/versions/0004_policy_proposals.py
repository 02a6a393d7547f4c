"""Policies change by two people.

Expands only: code of before goes on beside it, by its files.

Revises: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SCHEMA = "deadlines"
TABLE = "policy_proposals"
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("proposal_id", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False, comment="The file as it was given."),
        sa.Column(
            "body",
            postgresql.JSONB(),
            nullable=False,
            comment="The policy as it was read from it.",
        ),
        sa.Column(
            "against",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="What then had that duty.",
        ),
        sa.Column(
            "difference",
            postgresql.JSONB(),
            nullable=False,
            comment="What it would have made of the past.",
        ),
        sa.Column("effective_from", sa.Date(), nullable=False, comment="A day in Connecticut."),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "state", sa.Text(), nullable=False, comment="open, approved, rejected or withdrawn."
        ),
        sa.Column("proposed_by", sa.Text(), nullable=False),
        sa.Column("proposed_at", TIME, nullable=False),
        sa.Column("decided_by", sa.Text()),
        sa.Column("decided_at", TIME),
        sa.Column("decision", sa.Text(), comment="Why, in the words of whoever decided."),
        sa.Column(
            "rewound_to",
            sa.Text(),
            nullable=False,
            server_default="",
            comment="The last clock that was told to go over to it.",
        ),
        sa.Column("rewound_at", TIME, comment="When all were; null where none is to."),
        sa.CheckConstraint(
            "(state = 'open') = (decided_by IS NULL) AND (state = 'open') = (decided_at IS NULL)",
            name="ck_policy_proposals_decided",
        ),
        sa.CheckConstraint(
            "state NOT IN ('approved', 'rejected') OR decided_by <> proposed_by",
            name="ck_policy_proposals_two_people",
        ),
        sa.PrimaryKeyConstraint("proposal_id", name="policy_proposals_pkey"),
        schema=SCHEMA,
        comment="What one person proposes and another approves. The approved ones are in force "
        "from their day, beside the files.",
    )
    op.create_index(
        "uq_policy_proposals_approved",
        TABLE,
        ["policy", "version"],
        unique=True,
        schema=SCHEMA,
        postgresql_where=sa.text("state = 'approved'"),
    )


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
