"""Tables of conflicts of interest, and of who was planned in whose place."""

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text, text

from services.notify.models import TIME, metadata

conflicts = Table(
    "conflicts",
    metadata,
    Column("conflict_id", Text, primary_key=True),
    Column("assertion_id", Text, nullable=False, comment="One person's word; it may bind several."),
    Column("referral_id", Text, nullable=False),
    Column("child_id", Text, comment="Null: of every child of the referral."),
    Column("agency_id", Text, nullable=False, comment="It is told nothing while this holds."),
    Column("ground", Text, nullable=False, comment="A code, never a story."),
    Column("asserted_by", Text, nullable=False),
    Column("asserted_at", TIME, nullable=False),
    Column("lift_asked_by", Text),
    Column("lift_asked_at", TIME),
    Column("lifted_by", Text, comment="Somebody else than who asked."),
    Column("lifted_at", TIME),
    comment="A conflict holds at once on one person's word; lifting it takes two.",
)
Index(
    "ix_conflicts_in_force",
    conflicts.c.referral_id,
    conflicts.c.agency_id,
    postgresql_where=text("lifted_at IS NULL"),
)
Index("ix_conflicts_assertion", conflicts.c.assertion_id)

stand_ins = Table(
    "stand_ins",
    metadata,
    Column("notice_id", Text, ForeignKey("notify.notices.notice_id"), primary_key=True),
    Column("role", Text, primary_key=True),
    Column("planned_at", TIME, nullable=False),
    comment="Append-only: notices that count for one more role, in place of a conflicted agency.",
)

substitutions = Table(
    "substitutions",
    metadata,
    Column("notice_id", Text, ForeignKey("notify.notices.notice_id"), primary_key=True),
    Column("conflict_id", Text, ForeignKey("notify.conflicts.conflict_id"), nullable=False),
    Column("rules_version", Text, nullable=False),
    Column("directory_version", Integer, nullable=False),
    Column("planned_at", TIME, nullable=False),
    comment="Append-only (P3): notices in whose place others were planned, each a plan of its own.",
)
