"""Tables of retention: orders to destroy content, their confirmations, legal holds."""

from sqlalchemy import CheckConstraint, Column, Index, Table, Text, text

from services.audit.models import TIME, metadata

shreddings = Table(
    "shreddings",
    metadata,
    Column("shredding_id", Text, primary_key=True),
    Column("child_id", Text, nullable=False),
    Column("referral_id", Text, nullable=False),
    Column("ground", Text, nullable=False, comment="A code, never a story."),
    Column("citation", Text, nullable=False),
    Column("state", Text, nullable=False, comment="asked, approved or refused."),
    Column("asked_by", Text, nullable=False),
    Column("asked_at", TIME, nullable=False),
    Column("decided_by", Text),
    Column("decided_at", TIME),
    Column("ordered_at", TIME, comment="When intake took the order."),
    Column("completed_at", TIME, comment="When every holder had confirmed."),
    CheckConstraint(
        "state <> 'approved' OR decided_by <> asked_by", name="ck_shreddings_two_people"
    ),
    CheckConstraint("(state = 'asked') = (decided_by IS NULL)", name="ck_shreddings_decided"),
    comment="Who asked that a child's content be destroyed, who approved it, how far it is.",
)
Index(
    "uq_shreddings_child",
    shreddings.c.child_id,
    unique=True,
    postgresql_where=text("state <> 'refused'"),
)
Index(
    "ix_shreddings_unfinished",
    shreddings.c.decided_at,
    postgresql_where=text("state = 'approved' AND completed_at IS NULL"),
)

shredding_confirmations = Table(
    "shredding_confirmations",
    metadata,
    Column("shredding_id", Text, primary_key=True),
    Column("holder", Text, primary_key=True, comment="The service, as its events say."),
    Column("confirmed_at", TIME, nullable=False),
    comment="Append-only: who holds nothing more that anybody could open.",
)

legal_holds = Table(
    "legal_holds",
    metadata,
    Column("hold_id", Text, primary_key=True),
    Column("child_id", Text, nullable=False),
    Column("citation", Text, nullable=False),
    Column("placed_by", Text, nullable=False),
    Column("placed_at", TIME, nullable=False),
    Column("release_asked_by", Text),
    Column("release_asked_at", TIME),
    Column("released_by", Text, comment="Somebody else than who asked."),
    Column("released_at", TIME),
    CheckConstraint(
        "released_at IS NULL OR (release_asked_by IS NOT NULL AND release_asked_by <> released_by)",
        name="ck_legal_holds_two_people",
    ),
    comment="While one is in force, nothing of this child is destroyed.",
)
Index(
    "ix_legal_holds_in_force",
    legal_holds.c.child_id,
    postgresql_where=text("released_at IS NULL"),
)
