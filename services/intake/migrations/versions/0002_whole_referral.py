"""A version says whether its time of receipt was set after the fact; a key may be an amendment's.

Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "referral_versions",
        sa.Column(
            "backdated",
            sa.Boolean(),
            nullable=False,
            server_default=sa.false(),
            comment="Received long before it was recorded, or moved to an earlier time.",
        ),
        schema="intake",
    )
    op.alter_column(
        "idempotency_keys",
        "key_digest",
        existing_type=sa.LargeBinary(),
        existing_nullable=False,
        existing_comment="HMAC of the Idempotency-Key.",
        comment="HMAC of the Idempotency-Key; an amendment's, with the referral's id.",
        schema="intake",
    )
    op.alter_column(
        "idempotency_keys",
        "answer",
        existing_type=sa.Text(),
        existing_nullable=False,
        existing_comment="The 201's body: ids and times only.",
        comment="The 201's or 200's body: ids and times only.",
        schema="intake",
    )


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
