"""Tables of what is withheld from an accounting."""

from sqlalchemy import CheckConstraint, Column, Index, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY

from services.audit.models import TIME, metadata

withholdings = Table(
    "withholdings",
    metadata,
    Column("withholding_id", Text, primary_key=True),
    Column("child_id", Text, nullable=False),
    Column(
        "disclosure_ids",
        ARRAY(Text),
        nullable=False,
        comment="Rows withheld; empty: all of this child.",
    ),
    Column("ground", Text, nullable=False, comment="A code, never a story."),
    Column("citation", Text, nullable=False),
    Column("agency_id", Text, comment="Who asked for it, of a suspension."),
    Column("until", TIME, comment="Of a suspension: it ends by itself."),
    Column("withheld_by", Text, nullable=False),
    Column("withheld_at", TIME, nullable=False),
    Column("lift_asked_by", Text),
    Column("lift_asked_at", TIME),
    Column("lifted_by", Text, comment="Somebody else, unless it had expired."),
    Column("lifted_at", TIME),
    CheckConstraint(
        "(ground = 'law_enforcement_request') = (until IS NOT NULL)",
        name="ck_withholdings_suspension",
    ),
    CheckConstraint(
        "lifted_at IS NULL OR lifted_at >= until OR (lift_asked_by IS NOT NULL "
        "AND lift_asked_by <> lifted_by)",
        name="ck_withholdings_two_people",
    ),
    comment="What of an accounting is not given out, on one person's word; lifting takes two.",
)
Index("ix_withholdings_child_id", withholdings.c.child_id)
Index(
    "ix_withholdings_until",
    withholdings.c.until,
    postgresql_where=text("until IS NOT NULL AND lifted_at IS NULL"),
)
