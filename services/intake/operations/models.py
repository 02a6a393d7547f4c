"""Tables of law-enforcement operation notices: need to know, sealed under each one's own key."""

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, Table, Text

from services.intake.metadata import TIME, metadata

operations = Table(
    "operations",
    metadata,
    Column("operation_id", Text, primary_key=True),
    Column("kek_version", Integer, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("key_version", Integer, nullable=False, comment="The data key's own version."),
    Column("sealed", LargeBinary, nullable=False, comment="Everything that was notified."),
    Column("expires_at", TIME, nullable=False, comment="Until then only the named may know."),
    Column("recorded_by", Text, nullable=False, comment="Token subject."),
    Column("recorded_at", TIME, nullable=False),
)
Index("ix_operations_expires_at", operations.c.expires_at)

operation_readers = Table(
    "operation_readers",
    metadata,
    Column("operation_id", Text, ForeignKey("intake.operations.operation_id"), primary_key=True),
    Column("person", Text, primary_key=True, comment="Token subject of a named person."),
    comment="Append-only.",
)
Index("ix_operation_readers_person", operation_readers.c.person)

operation_ends = Table(
    "operation_ends",
    metadata,
    Column("operation_id", Text, ForeignKey("intake.operations.operation_id"), primary_key=True),
    Column("recorded_at", TIME, primary_key=True),
    Column("expires_at", TIME, nullable=False, comment="The new end."),
    Column("recorded_by", Text, nullable=False),
    comment="Append-only: every change of an operation's end.",
)
