"""Traces to find entries by; withholding of an accounting; orders to shred; legal holds.

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

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.execute("SET LOCAL statement_timeout = 0")
    op.add_column(
        "submissions",
        sa.Column(
            "traces",
            postgresql.ARRAY(sa.BigInteger()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="What the entry will be found by.",
        ),
        schema="audit",
    )
    op.create_table(
        "traces",
        sa.Column("trace", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("trace", "index"),
        schema="audit",
        comment="Append-only: which entries speak of what. Written with the entries.",
    )
    op.execute(_OF_LEAF)
    op.execute(
        'INSERT INTO audit.traces (trace, "index") SELECT DISTINCT t, e."index" '
        "FROM audit.entries AS e, audit.traces_of_leaf(e.leaf) AS t"
    )
    op.execute(
        "UPDATE audit.submissions SET traces = "
        "ARRAY(SELECT DISTINCT t FROM audit.traces_of_leaf(leaf) AS t ORDER BY t)"
    )
    op.execute("DROP FUNCTION audit.traces_of_leaf")
    _withholdings()
    _shreddings()
    _holds()
    for table in ("traces", "shredding_confirmations"):
        append_only(op, "audit", table)


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")


def _withholdings() -> None:
    op.create_table(
        "withholdings",
        sa.Column("withholding_id", sa.Text(), nullable=False),
        sa.Column("child_id", sa.Text(), nullable=False),
        sa.Column(
            "disclosure_ids",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="Rows withheld; empty: all of this child.",
        ),
        sa.Column("ground", sa.Text(), nullable=False, comment="A code, never a story."),
        sa.Column("citation", sa.Text(), nullable=False),
        sa.Column(
            "agency_id", sa.Text(), nullable=True, comment="Who asked for it, of a suspension."
        ),
        sa.Column("until", _TIME, nullable=True, comment="Of a suspension: it ends by itself."),
        sa.Column("withheld_by", sa.Text(), nullable=False),
        sa.Column("withheld_at", _TIME, nullable=False),
        sa.Column("lift_asked_by", sa.Text(), nullable=True),
        sa.Column("lift_asked_at", _TIME, nullable=True),
        sa.Column(
            "lifted_by", sa.Text(), nullable=True, comment="Somebody else, unless it had expired."
        ),
        sa.Column("lifted_at", _TIME, nullable=True),
        sa.CheckConstraint(
            "(ground = 'law_enforcement_request') = (until IS NOT NULL)",
            name="ck_withholdings_suspension",
        ),
        sa.CheckConstraint(
            "lifted_at IS NULL OR lifted_at >= until OR (lift_asked_by IS NOT NULL "
            "AND lift_asked_by <> lifted_by)",
            name="ck_withholdings_two_people",
        ),
        sa.PrimaryKeyConstraint("withholding_id"),
        schema="audit",
        comment="What of an accounting is not given out, on one person's word; lifting takes two.",
    )
    op.create_index("ix_withholdings_child_id", "withholdings", ["child_id"], schema="audit")
    op.create_index(
        "ix_withholdings_until",
        "withholdings",
        ["until"],
        schema="audit",
        postgresql_where=sa.text("until IS NOT NULL AND lifted_at IS NULL"),
    )


def _shreddings() -> None:
    op.create_table(
        "shreddings",
        sa.Column("shredding_id", sa.Text(), nullable=False),
        sa.Column("child_id", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("ground", sa.Text(), nullable=False, comment="A code, never a story."),
        sa.Column("citation", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="asked, approved or refused."),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", _TIME, nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", _TIME, nullable=True),
        sa.Column("ordered_at", _TIME, nullable=True, comment="When intake took the order."),
        sa.Column("completed_at", _TIME, nullable=True, comment="When every holder had confirmed."),
        sa.CheckConstraint(
            "state <> 'approved' OR decided_by <> asked_by", name="ck_shreddings_two_people"
        ),
        sa.CheckConstraint(
            "(state = 'asked') = (decided_by IS NULL)", name="ck_shreddings_decided"
        ),
        sa.PrimaryKeyConstraint("shredding_id"),
        schema="audit",
        comment="Who asked that a child's content be destroyed, who approved it, how far it is.",
    )
    op.create_index(
        "uq_shreddings_child",
        "shreddings",
        ["child_id"],
        unique=True,
        schema="audit",
        postgresql_where=sa.text("state <> 'refused'"),
    )
    op.create_index(
        "ix_shreddings_unfinished",
        "shreddings",
        ["decided_at"],
        schema="audit",
        postgresql_where=sa.text("state = 'approved' AND completed_at IS NULL"),
    )
    op.create_table(
        "shredding_confirmations",
        sa.Column("shredding_id", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False, comment="The service, as its events say."),
        sa.Column("confirmed_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("shredding_id", "holder"),
        schema="audit",
        comment="Append-only: who holds nothing more that anybody could open.",
    )


def _holds() -> None:
    op.create_table(
        "legal_holds",
        sa.Column("hold_id", sa.Text(), nullable=False),
        sa.Column("child_id", sa.Text(), nullable=False),
        sa.Column("citation", sa.Text(), nullable=False),
        sa.Column("placed_by", sa.Text(), nullable=False),
        sa.Column("placed_at", _TIME, nullable=False),
        sa.Column("release_asked_by", sa.Text(), nullable=True),
        sa.Column("release_asked_at", _TIME, nullable=True),
        sa.Column("released_by", sa.Text(), nullable=True, comment="Somebody else than who asked."),
        sa.Column("released_at", _TIME, nullable=True),
        sa.CheckConstraint(
            "released_at IS NULL OR (release_asked_by IS NOT NULL "
            "AND release_asked_by <> released_by)",
            name="ck_legal_holds_two_people",
        ),
        sa.PrimaryKeyConstraint("hold_id"),
        schema="audit",
        comment="While one is in force, nothing of this child is destroyed.",
    )
    op.create_index(
        "ix_legal_holds_in_force",
        "legal_holds",
        ["child_id"],
        schema="audit",
        postgresql_where=sa.text("released_at IS NULL"),
    )


_OF_LEAF = """
CREATE FUNCTION audit.traces_of_leaf(leaf bytea) RETURNS SETOF bigint LANGUAGE sql AS $$
    WITH content AS (SELECT convert_from(leaf, 'UTF8')::jsonb AS whole),
    holder AS (SELECT whole AS part FROM content UNION ALL SELECT whole -> 'record' FROM content),
    value AS (
        SELECT facet, part ->> name AS said FROM holder, (VALUES
            ('subject', 'child_id'), ('subject', 'referral_id'), ('subject', 'call_id'),
            ('subject', 'record_id'), ('subject', 'export_id'), ('agency', 'agency_id'),
            ('actor', 'actor'), ('actor', 'approved_by'), ('authority', 'authority')
        ) AS named(facet, name)
        UNION ALL
        SELECT 'subject', child FROM content,
            jsonb_array_elements_text(coalesce(whole -> 'record' -> 'child_ids', '[]')) AS child
    )
    SELECT ('x' || encode(substr(sha256(convert_to(facet || '=' || said, 'UTF8')), 1, 8), 'hex'))
        ::bit(64)::bigint
    FROM value WHERE said IS NOT NULL
$$
"""
