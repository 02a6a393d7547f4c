"""What was announced of a child before it turned 18 is sealed, and every row looks alike.

Nobody can seal here what was announced before: whoever is near is announced once more.

Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DELETE FROM intake.majority_looks")
    op.drop_column("majority_looks", "noticed_at", schema="intake")
    op.add_column(
        "majority_looks",
        sa.Column(
            "sealed",
            sa.LargeBinary(),
            comment="What was announced, or that nothing was: always of one length. Null: it "
            "could not be opened.",
        ),
        schema="intake",
    )


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
