"""Tables of misdirected notices and of those that a person has ended."""

from sqlalchemy import Column, ForeignKey, Table, Text

from services.notify.models import TIME, metadata

recalls = Table(
    "recalls",
    metadata,
    Column("notice_id", Text, ForeignKey("notify.notices.notice_id"), primary_key=True),
    Column(
        "recall_notice_id",
        Text,
        ForeignKey("notify.notices.notice_id"),
        comment="Null: the wrong recipient may not be told even that.",
    ),
    Column("reason", Text, nullable=False, comment="A code, never a story."),
    Column("recalled_by", Text, nullable=False),
    Column("recalled_at", TIME, nullable=False),
    comment="Append-only: misdirected disclosures, each an incident. What was disclosed stays on "
    "record.",
)

closings = Table(
    "closings",
    metadata,
    Column("notice_id", Text, ForeignKey("notify.notices.notice_id"), primary_key=True),
    Column("reason", Text, nullable=False, comment="A code, never a story."),
    Column("closed_by", Text, nullable=False),
    Column("closed_at", TIME, nullable=False),
    comment="Append-only: notices that a named person has ended undelivered.",
)
