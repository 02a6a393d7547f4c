"""The tables that a service owns to emit and to consume. Factories: each service has its own."""

from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    func,
    text,
)

TIME = DateTime(timezone=True)


@dataclass(frozen=True)
class OutboxTables:
    """What a service that emits owns."""

    outbox: Table
    heads: Table
    leader: Table


@dataclass(frozen=True)
class InboxTables:
    """What a service that consumes owns."""

    inbox: Table
    streams: Table
    cursors: Table
    quarantine: Table


def outbox_tables(metadata: MetaData) -> OutboxTables:
    """Add the outbox to a service's metadata."""
    outbox = Table(
        "outbox",
        metadata,
        Column("id", BigInteger, Identity(always=True), primary_key=True),
        Column("topic", Text, nullable=False),
        Column("subject", Text, nullable=False),
        Column("sequence", BigInteger, nullable=False),
        Column("event_id", Text, nullable=False),
        Column("body", LargeBinary, nullable=False, comment="The CloudEvent, as sent."),
        Column("created_at", TIME, nullable=False, server_default=func.clock_timestamp()),
        Column("sent_at", TIME, comment="When the bus acknowledged it; null while pending."),
    )
    Index("ix_outbox_pending", outbox.c.id, postgresql_where=text("sent_at IS NULL"))
    heads = Table(
        "outbox_heads",
        metadata,
        Column("topic", Text, primary_key=True),
        Column("subject", Text, primary_key=True),
        Column("sequence", BigInteger, nullable=False, comment="The last one given out."),
    )
    leader = Table(
        "relay_leader",
        metadata,
        Column("id", Integer, primary_key=True, comment="Always 1."),
        Column("epoch", BigInteger, nullable=False, comment="Grows with every new leader."),
        Column("elected_at", TIME, nullable=False),
    )
    return OutboxTables(outbox, heads, leader)


def inbox_tables(metadata: MetaData) -> InboxTables:
    """Add the inbox to a service's metadata."""
    inbox = Table(
        "inbox",
        metadata,
        Column("topic", Text, primary_key=True),
        Column("source", Text, primary_key=True),
        Column("subject", Text, primary_key=True),
        Column("sequence", BigInteger, primary_key=True, autoincrement=False),
        Column("event_id", Text, nullable=False),
        Column("body", LargeBinary, nullable=False),
        Column("received_at", TIME, nullable=False, server_default=func.clock_timestamp()),
        Column("skipped_by", Text, comment="Who decided that it is not handled; else null."),
    )
    # No BRIN index: pages are used again once they are pruned, and its ranges never grow young.
    Index("ix_inbox_received", inbox.c.received_at)
    streams = Table(
        "inbox_streams",
        metadata,
        Column("topic", Text, primary_key=True),
        Column("source", Text, primary_key=True),
        Column("subject", Text, primary_key=True),
        Column("cursor", BigInteger, nullable=False, comment="Last finished sequence."),
        Column("highest", BigInteger, nullable=False, comment="Highest sequence received."),
        Column("ready_at", TIME, comment="When to look at it; null when nothing waits."),
        Column("failures", Integer, nullable=False, server_default=text("0")),
        Column("last_error", Text, comment="Name of the last error's class; never its text."),
        Column("gap_since", TIME, comment="Since when the next sequence has been missing."),
        Column("parked_at", TIME),
        Column("parked_reason", Text),
        Column("lease_owner", Integer),
        Column("lease_token", Text),
        Column("lease_until", TIME),
    )
    Index(
        "ix_inbox_streams_ready",
        streams.c.ready_at,
        postgresql_where=text("ready_at IS NOT NULL AND parked_at IS NULL"),
    )
    Index(
        "ix_inbox_streams_leased",
        streams.c.lease_owner,
        postgresql_where=text("lease_owner IS NOT NULL"),
    )
    Index(
        "ix_inbox_streams_parked",
        streams.c.parked_at,
        postgresql_where=text("parked_at IS NOT NULL"),
    )
    cursors = Table(
        "inbox_cursors",
        metadata,
        Column("topic", Text, primary_key=True),
        Column("partition", Integer, primary_key=True, autoincrement=False),
        Column("next_offset", BigInteger, nullable=False),
        Column("moved_at", TIME, nullable=False, server_default=func.clock_timestamp()),
    )
    quarantine = Table(
        "inbox_quarantine",
        metadata,
        Column("topic", Text, primary_key=True),
        Column("partition", Integer, primary_key=True, autoincrement=False),
        Column("offset", BigInteger, primary_key=True, autoincrement=False),
        Column("reason", Text, nullable=False),
        Column("length", BigInteger, nullable=False),
        Column("sha256", Text, nullable=False),
        Column("body", LargeBinary, comment="Only when it parsed, so holds no personal data."),
        Column("quarantined_at", TIME, nullable=False, server_default=func.clock_timestamp()),
        Column("released_at", TIME),
        Column("released_by", Text),
    )
    return InboxTables(inbox, streams, cursors, quarantine)
