"""Tables of the deadlines service, in schema `deadlines`."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.messaging.tables import inbox_tables, outbox_tables
from shared.runtime.acts import acts_table

metadata = MetaData(schema="deadlines")
ACTS = acts_table(metadata)
OUTBOX = outbox_tables(metadata)
INBOX = inbox_tables(metadata)

TIME = DateTime(timezone=True)

policies = Table(
    "policies",
    metadata,
    Column("policy", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("body", JSONB, nullable=False, comment="The policy as it was read from its file."),
    Column("first_used_at", TIME, nullable=False, server_default=func.clock_timestamp()),
    comment="Append-only: a version under which clocks may run never changes and never goes.",
)

facts = Table(
    "facts",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("referral_id", Text, nullable=False),
    Column("occurred_at", TIME, nullable=False, comment="When it happened, not when we heard."),
    Column("version", Integer, nullable=False),
    Column("child_id", Text),
    Column("role", Text),
    Column("agency_id", Text),
    Column("notice_id", Text),
    Column("stage", Text, comment="Of the plan that a leg belongs to; null: received."),
    Column("matter", Text, comment="The consult, or the referral that is linked."),
    Column(
        "statement",
        JSONB(none_as_null=True),
        comment="What a referral version says that clocks depend on.",
    ),
    Column("learned_at", TIME, nullable=False, server_default=func.clock_timestamp()),
    comment="Append-only. Kept with or without a clock to match: topics race.",
)
Index("ix_facts_referral", facts.c.referral_id)

clocks = Table(
    "clocks",
    metadata,
    Column("clock_id", Text, primary_key=True),
    Column("referral_id", Text, nullable=False),
    Column("child_id", Text, nullable=False),
    Column("duty", Text, nullable=False),
    Column("role", Text, comment="Null for a duty that is no recipient's leg."),
    Column("policy", Text, nullable=False),
    Column("policy_version", Text, nullable=False),
    Column("synthetic", Boolean, nullable=False),
    Column("basis_at", TIME, nullable=False),
    Column("due_at", TIME, nullable=False),
    Column("satisfied_at", TIME, comment="Since when its duty has been met without a break."),
    Column("lacking", Text, comment="Why it is not satisfied; null exactly when it is."),
    Column("state", Text, nullable=False),
    Column("look_at", TIME, comment="When the sweeper must look; null when nothing can come."),
    Column("waiting_since", TIME, comment="Since when its breach has waited for late facts."),
    Column(
        "matter",
        Text,
        nullable=False,
        server_default="",
        comment="The consult or the recipient that it is about; empty: the child as such.",
    ),
    Column(
        "released",
        Boolean,
        nullable=False,
        server_default=false(),
        comment="Nothing is owed because the duty ended, not because it was met.",
    ),
    Column("warned", Text, comment="The warnings that were said, in minutes before due."),
    comment="A summary of facts and announcements: it can be made again from them.",
)
Index(
    "uq_clocks_duty",
    clocks.c.referral_id,
    clocks.c.child_id,
    clocks.c.duty,
    clocks.c.matter,
    unique=True,
)
Index("ix_clocks_look_at", clocks.c.look_at, postgresql_where=text("look_at IS NOT NULL"))
Index("ix_clocks_open", clocks.c.due_at, postgresql_where=text("state = 'open'"))
Index(
    "ix_clocks_missed",
    clocks.c.due_at,
    postgresql_where=text("state = 'breached' AND lacking IS NOT NULL"),
)

announcements = Table(
    "announcements",
    metadata,
    Column("clock_id", Text, ForeignKey("deadlines.clocks.clock_id"), primary_key=True),
    Column("kind", Text, primary_key=True, comment="breached, breach_corrected, approaching N."),
    Column("due_at", TIME, nullable=False, comment="The due time that it speaks of."),
    Column("satisfied_at", TIME),
    Column("discovered_at", TIME, nullable=False),
    Column("reason", Text, comment="Of a breach: what was lacking when it was announced."),
    comment="Append-only: each is emitted once, and none is ever erased (P6).",
)

moves = Table(
    "moves",
    metadata,
    Column("clock_id", Text, ForeignKey("deadlines.clocks.clock_id"), primary_key=True),
    Column("moved_at", TIME, primary_key=True, comment="When we learned of it."),
    Column("began_at", TIME, nullable=False, comment="What it was counted from until then."),
    Column("before_at", TIME, nullable=False, comment="The due time until then."),
    Column("due_at", TIME, primary_key=True, comment="The due time since then."),
    comment="Append-only: due times that a fact or a policy moved, for the history.",
)

policy_proposals = Table(
    "policy_proposals",
    metadata,
    Column("proposal_id", Text, primary_key=True),
    Column("policy", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("text", Text, nullable=False, comment="The file as it was given."),
    Column("body", JSONB, nullable=False, comment="The policy as it was read from it."),
    Column("against", ARRAY(Text), nullable=False, comment="What then had that duty."),
    Column("difference", JSONB, nullable=False, comment="What it would have made of the past."),
    Column("effective_from", Date, nullable=False, comment="A day in Connecticut."),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False, comment="open, approved, rejected or withdrawn."),
    Column("proposed_by", Text, nullable=False),
    Column("proposed_at", TIME, nullable=False),
    Column("decided_by", Text),
    Column("decided_at", TIME),
    Column("decision", Text, comment="Why, in the words of whoever decided."),
    Column(
        "rewound_to",
        Text,
        nullable=False,
        server_default="",
        comment="The last clock that was told to go over to it.",
    ),
    Column("rewound_at", TIME, comment="When all were; null where none is to."),
    CheckConstraint(
        "(state = 'open') = (decided_by IS NULL) AND (state = 'open') = (decided_at IS NULL)",
        name="ck_policy_proposals_decided",
    ),
    CheckConstraint(
        "state NOT IN ('approved', 'rejected') OR decided_by <> proposed_by",
        name="ck_policy_proposals_two_people",
    ),
    comment="What one person proposes and another approves. The approved ones are in force from "
    "their day, beside the files.",
)
Index(
    "uq_policy_proposals_approved",
    policy_proposals.c.policy,
    policy_proposals.c.version,
    unique=True,
    postgresql_where=text("state = 'approved'"),
)
