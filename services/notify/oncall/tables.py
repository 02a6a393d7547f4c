"""Tables of the on-call roster, of pages, and of the synthetic referrals."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from services.notify.models import TIME, metadata

rosters = Table(
    "rosters",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("body", JSONB, nullable=False, comment="The roster as its file has it."),
    Column("proposal_id", Text, ForeignKey("notify.proposals.proposal_id"), nullable=False),
    Column("applied_at", TIME, nullable=False),
    comment="Append-only: who is on call, by whose decision. The newest is in force.",
)

roster_overrides = Table(
    "roster_overrides",
    metadata,
    Column("override_id", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("person", Text, nullable=False, comment="Who comes in: an id of the roster."),
    Column("instead_of", Text, comment="Whose alarms they take; null: nobody's."),
    Column("starts_at", TIME, nullable=False),
    Column("ends_at", TIME, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("proposal_id", Text, ForeignKey("notify.proposals.proposal_id")),
    Column("made_at", TIME, nullable=False),
    CheckConstraint("starts_at < ends_at", name="ck_roster_overrides_period"),
    CheckConstraint(
        "instead_of IS NULL OR proposal_id IS NOT NULL", name="ck_roster_overrides_two_people"
    ),
)
Index("ix_roster_overrides_ends_at", roster_overrides.c.ends_at)

roster_override_ends = Table(
    "roster_override_ends",
    metadata,
    Column(
        "override_id", Text, ForeignKey("notify.roster_overrides.override_id"), primary_key=True
    ),
    Column("ended_by", Text, nullable=False),
    Column("ended_at", TIME, nullable=False),
    comment="Append-only: overrides that somebody ended before their time.",
)

pagings = Table(
    "pagings",
    metadata,
    Column("task_id", Text, ForeignKey("notify.tasks.task_id"), primary_key=True),
    Column("rounds", Integer, nullable=False, comment="Begun so far."),
    Column("look_at", TIME, nullable=False, comment="When to look again whether to page."),
    Column("reached_at", TIME, comment="When a pager first took a page of it."),
)
Index("ix_pagings_look_at", pagings.c.look_at)

pages = Table(
    "pages",
    metadata,
    Column("task_id", Text, ForeignKey("notify.tasks.task_id"), primary_key=True),
    Column("round", Integer, primary_key=True, autoincrement=False),
    Column("person", Text, primary_key=True, comment="An id of the roster; never a name."),
    Column("claimed_at", TIME, nullable=False),
    Column("ended_at", TIME, comment="Null while it is being sent, or whoever sent it died."),
    Column("outcome", Text, comment="taken, failed or lost."),
    comment="One page per task, round and person: claimed before it is sent, never sent twice.",
)
Index("ix_pages_open", pages.c.claimed_at, postgresql_where=text("outcome IS NULL"))

drills = Table(
    "drills",
    metadata,
    Column("slot", Integer, primary_key=True, autoincrement=False, comment="Which minute's it is."),
    Column("begun_at", TIME, nullable=False),
    Column("referral_id", Text, comment="Null: intake has not taken it."),
    Column("passed_at", TIME, comment="When all of it had been seen to arrive."),
    comment="Synthetic referrals that prove the whole way alive.",
)
Index("ix_drills_passed_at", drills.c.passed_at)

drill_receipts = Table(
    "drill_receipts",
    metadata,
    Column("notice_id", Text, primary_key=True),
    Column("received_at", TIME, nullable=False),
    comment="What the built-in recipient has verified and opened.",
)
