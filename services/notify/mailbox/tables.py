"""Tables of the mailbox. What a recipient says lies sealed, under the child's key."""

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from services.notify.models import TIME, metadata

mailboxes = Table(
    "mailboxes",
    metadata,
    Column("agency_id", Text, ForeignKey("notify.agencies.agency_id"), primary_key=True),
    Column("last", Integer, nullable=False, comment="The number that was given last."),
    Column("looked_at", TIME, nullable=False, comment="When its new notices were last numbered."),
)

mailbox_items = Table(
    "mailbox_items",
    metadata,
    Column("agency_id", Text, ForeignKey("notify.mailboxes.agency_id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("notice_id", Text, ForeignKey("notify.notices.notice_id"), nullable=False),
    Column("listed_at", TIME, nullable=False),
    UniqueConstraint("notice_id", name="uq_mailbox_items_notice"),
    comment="Append-only: in which order a recipient was first shown its notices.",
)

openings = Table(
    "openings",
    metadata,
    Column("disclosure_id", Text, ForeignKey("notify.disclosures.disclosure_id"), primary_key=True),
    Column("notice_id", Text, ForeignKey("notify.notices.notice_id"), nullable=False),
    Column("agency_id", Text, nullable=False),
    Column("opened_by", Text, nullable=False, comment="Token subject of the person."),
    Column("purpose", Text, nullable=False, comment="A code, never a story."),
    Column("opened_at", TIME, nullable=False),
    comment="Append-only (P2): reads in the mailbox, committed before their first byte.",
)
Index("ix_openings_notice", openings.c.notice_id)

acknowledgements = Table(
    "acknowledgements",
    metadata,
    Column("acknowledgement_id", Text, primary_key=True),
    Column("notice_id", Text, ForeignKey("notify.notices.notice_id"), nullable=False),
    Column("agency_id", Text, nullable=False),
    Column("acknowledged_by", Text, nullable=False, comment="Token subject."),
    Column("acknowledged_at", TIME, nullable=False),
    Column("sealed", LargeBinary, nullable=False, comment="Received by, case number, disposition."),
    comment="Append-only: what recipients say they have done with a notice.",
)
Index("ix_acknowledgements_notice", acknowledgements.c.notice_id)

returns = Table(
    "returns",
    metadata,
    Column("notice_id", Text, ForeignKey("notify.notices.notice_id"), primary_key=True),
    Column("agency_id", Text, nullable=False),
    Column("reason", Text, nullable=False, comment="A code, never a story."),
    Column("returned_by", Text, nullable=False, comment="Token subject."),
    Column("returned_at", TIME, nullable=False),
    Column("assertion_id", Text, nullable=False, comment="What holds it from being told again."),
    comment="Append-only: notices of which the recipient says that they are not its own.",
)

statements = Table(
    "statements",
    metadata,
    Column("statement_id", Text, primary_key=True),
    Column("agency_id", Text, ForeignKey("notify.agencies.agency_id"), nullable=False),
    Column("since", TIME, nullable=False),
    Column("until", TIME, nullable=False),
    Column("stated_at", TIME, nullable=False),
    comment="Append-only: of which time a recipient's system has said what it holds.",
)
Index("ix_statements_agency", statements.c.agency_id, statements.c.until)

receipts = Table(
    "receipts",
    metadata,
    Column("notice_id", Text, ForeignKey("notify.notices.notice_id"), primary_key=True),
    Column("agency_id", Text, nullable=False),
    Column("statement_id", Text, ForeignKey("notify.statements.statement_id"), nullable=False),
    comment="Append-only: notices of which a recipient's system has said that it holds them.",
)
