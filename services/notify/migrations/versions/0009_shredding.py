"""A child's key may be destroyed, and it is known when notify has confirmed that.

Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("child_keys", sa.Column("shredded_at", _TIME, nullable=True), schema="notify")
    op.create_check_constraint(
        "ck_child_keys_shredded",
        "child_keys",
        "(wrapped = '') = (shredded_at IS NOT NULL)",
        schema="notify",
    )
    op.create_table(
        "shreddings",
        sa.Column("shredding_id", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("child_id", sa.Text(), nullable=False),
        sa.Column("ordered_at", _TIME, nullable=False),
        sa.Column(
            "confirmed_at", _TIME, nullable=True, comment="When no attempt was open any more."
        ),
        sa.PrimaryKeyConstraint("shredding_id"),
        schema="notify",
        comment="Orders to destroy a child's content. The key goes at once.",
    )
    op.create_index(
        "ix_shreddings_open",
        "shreddings",
        ["ordered_at"],
        schema="notify",
        postgresql_where=sa.text("confirmed_at IS NULL"),
    )
    op.execute(_ONE_WAY)
    op.execute(_GUARD)


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")


_ONE_WAY = """
CREATE FUNCTION notify.keep_shredded() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the key of a child was destroyed and stays so'
        USING ERRCODE = 'insufficient_privilege';
END $$
"""
_GUARD = """
CREATE TRIGGER child_keys_shredded BEFORE UPDATE OR DELETE ON notify.child_keys
FOR EACH ROW WHEN (OLD.wrapped = '') EXECUTE FUNCTION notify.keep_shredded()
"""
