"""The table of what needs two people."""

from sqlalchemy import CheckConstraint, Column, Index, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from services.notify.models import TIME, metadata

proposals = Table(
    "proposals",
    metadata,
    Column("proposal_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("summary", Text, nullable=False, comment="A sentence. No names of people."),
    Column("body", JSONB, nullable=False, comment="What would be applied; its kind reads it."),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False, comment="open, approved, rejected or withdrawn."),
    Column("proposed_by", Text, nullable=False),
    Column("proposed_at", TIME, nullable=False),
    Column("decided_by", Text),
    Column("decided_at", TIME),
    Column("decision", Text, comment="Why, in the words of whoever decided."),
    CheckConstraint(
        "(state = 'open') = (decided_by IS NULL) AND (state = 'open') = (decided_at IS NULL)",
        name="ck_proposals_decided",
    ),
    CheckConstraint(
        "state NOT IN ('approved', 'rejected') OR decided_by <> proposed_by",
        name="ck_proposals_two_people",
    ),
    comment="What one person proposes and another approves; applied in the same transaction.",
)
Index("ix_proposals_open", proposals.c.proposed_at, postgresql_where=text("state = 'open'"))
