"""A child's key may be destroyed: empty, since when, and by which order.

Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "child_keys",
        sa.Column("shredding_id", sa.Text(), nullable=True, comment="Whose order destroyed it."),
        schema="intake",
    )
    op.add_column(
        "child_keys",
        sa.Column("shredded_at", sa.DateTime(timezone=True), nullable=True),
        schema="intake",
    )
    op.create_check_constraint(
        "ck_child_keys_shredded",
        "child_keys",
        "(wrapped = '') = (shredded_at IS NOT NULL)",
        schema="intake",
    )
    op.execute(_ONE_WAY)
    op.execute(_GUARD)


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")


_ONE_WAY = """
CREATE FUNCTION intake.keep_shredded() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the key of a child was destroyed and stays so'
        USING ERRCODE = 'insufficient_privilege';
END $$
"""
_GUARD = """
CREATE TRIGGER child_keys_shredded BEFORE UPDATE OR DELETE ON intake.child_keys
FOR EACH ROW WHEN (OLD.wrapped = '') EXECUTE FUNCTION intake.keep_shredded()
"""
