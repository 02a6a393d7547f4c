"""Tables of the audit service, in schema `audit`."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from shared.messaging.tables import inbox_tables
from shared.runtime.acts import acts_table

metadata = MetaData(schema="audit")
ACTS = acts_table(metadata)
INBOX = inbox_tables(metadata)

TIME = DateTime(timezone=True)

submissions = Table(
    "submissions",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("position", Integer, nullable=False, comment="Place within the event, from 0."),
    Column("kind", Text, nullable=False),
    Column("disclosure_id", Text),
    Column("leaf", LargeBinary, nullable=False),
    Column("submitted_at", TIME, nullable=False, server_default=func.clock_timestamp()),
    Column(
        "traces",
        ARRAY(BigInteger),
        nullable=False,
        server_default=text("'{}'"),
        comment="What the entry will be found by.",
    ),
    UniqueConstraint("event_id", "position", name="uq_submissions_source"),
    comment="A queue: the sequencer moves its rows into entries, in one transaction.",
)

entries = Table(
    "entries",
    metadata,
    Column("index", BigInteger, primary_key=True, autoincrement=False, comment="From 0, no gap."),
    Column("kind", Text, nullable=False),
    Column("disclosure_id", Text),
    Column("event_id", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column(
        "leaf", LargeBinary, nullable=False, comment="The evidence; the rest is an index to it."
    ),
    Column("leaf_hash", LargeBinary, nullable=False, comment="SHA-256(0x00 || leaf)."),
    Column("submitted_at", TIME, nullable=False),
    Column("sequenced_at", TIME, nullable=False),
    UniqueConstraint("event_id", "position", name="uq_entries_source"),
    comment="Append-only (P7).",
)
Index("ix_entries_sequenced_at", entries.c.sequenced_at, postgresql_using="brin")
Index(
    "ix_entries_disclosure",
    entries.c.disclosure_id,
    postgresql_where=entries.c.disclosure_id.isnot(None),
)

traces = Table(
    "traces",
    metadata,
    Column("trace", BigInteger, primary_key=True, autoincrement=False),
    Column("index", BigInteger, primary_key=True, autoincrement=False),
    comment="Append-only: which entries speak of what. Written with the entries.",
)

nodes = Table(
    "nodes",
    metadata,
    Column("level", SmallInteger, primary_key=True, autoincrement=False, comment="From 1."),
    Column("index", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
    comment="Append-only: perfect subtrees, for proofs in O(log n). Level 0 is in entries.",
)

head = Table(
    "head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False, comment="Always 1."),
    Column("size", BigInteger, nullable=False, comment="The next index."),
    Column("peaks", ARRAY(LargeBinary), nullable=False, comment="Right edge, left to right."),
    comment="Locked by whoever appends or signs.",
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", Text, nullable=False, comment="The signed note, byte for byte."),
    Column("signed_at", TIME, nullable=False, server_default=func.clock_timestamp()),
    comment="Append-only (P7).",
)
Index("ix_checkpoints_signed_at", checkpoints.c.signed_at)

cosignatures = Table(
    "cosignatures",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("witness", Text, nullable=False, comment="Its public key, name+id+base64."),
    Column("line", Text, nullable=False, comment="The signature line, byte for byte."),
    Column("stored_at", TIME, nullable=False, server_default=func.clock_timestamp()),
    comment="Append-only: what witnesses said of our checkpoints.",
)
Index("ix_cosignatures_size", cosignatures.c.size)
Index("ix_cosignatures_witness", cosignatures.c.witness, cosignatures.c.size)

origins = Table(
    "origins",
    metadata,
    Column("origin", Text, primary_key=True),
    Column("from_index", BigInteger, nullable=False, comment="The entry that says so."),
    Column("previous", Text, nullable=False, comment="The origin it goes on from."),
    Column("committed", Text, nullable=False, comment="The last checkpoint of it, a signed note."),
    Column("started_at", TIME, nullable=False, server_default=func.clock_timestamp()),
    comment="Append-only: a log that went on under a new name after a restore.",
)

log_keys = Table(
    "log_keys",
    metadata,
    Column("vkey", Text, primary_key=True, comment="A public key, name+id+base64."),
    Column("first_used_at", TIME, nullable=False, server_default=func.clock_timestamp()),
    comment="Append-only: every key that has signed this log, for those who verify it later.",
)

reconciliations = Table(
    "reconciliations",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("window_from", TIME, nullable=False),
    Column("window_to", TIME, nullable=False),
    Column("compared", BigInteger, nullable=False, comment="Ids that were compared, both ways."),
    Column("missing", BigInteger, nullable=False),
    Column("finished_at", TIME, nullable=False, server_default=func.clock_timestamp()),
    comment="Append-only: windows of time that were compared whole.",
)
Index("ix_reconciliations_window_to", reconciliations.c.window_to)

discrepancies = Table(
    "discrepancies",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("subject", Text, primary_key=True, comment="The id that one side lacks."),
    Column("found_at", TIME, nullable=False, server_default=func.clock_timestamp()),
    Column("settled_at", TIME, comment="When both sides had it; null while one lacks it."),
    comment="What one side of a comparison has and the other lacks.",
)
Index(
    "ix_discrepancies_open",
    discrepancies.c.found_at,
    postgresql_where=discrepancies.c.settled_at.is_(None),
)
