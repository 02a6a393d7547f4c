"""Tables of the PostgreSQL bus, in schema `bus`."""

from sqlalchemy import BigInteger, Column, DateTime, LargeBinary, MetaData, Table, Text, func

metadata = MetaData(schema="bus")

TIME = DateTime(timezone=True)

heads = Table(
    "heads",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("next_offset", BigInteger, nullable=False, comment="What the next record will get."),
    postgresql_with={"fillfactor": "50"},
    comment="Locked by whoever appends to the topic, so offsets become visible in order.",
)

log = Table(
    "log",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("offset", BigInteger, primary_key=True, autoincrement=False),
    Column("key", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("appended_at", TIME, nullable=False, server_default=func.clock_timestamp()),
    comment="Per topic without a gap; only old records that every group has read go away.",
)

positions = Table(
    "positions",
    metadata,
    Column("group_name", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
    Column("moved_at", TIME, nullable=False, server_default=func.clock_timestamp()),
    postgresql_with={"fillfactor": "50"},
    comment="How far each group has told us it is; never ahead of the group's own database.",
)
