"""Tables of the controls: what stops deliveries, what was held, what is sent again."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    text,
)

from services.notify.models import TIME, metadata

halts = Table(
    "halts",
    metadata,
    Column("halt_id", Text, primary_key=True),
    Column("cause", Text, nullable=False, comment="pause, stop or restored."),
    Column("agency_id", Text, ForeignKey("notify.agencies.agency_id"), comment="Null: everybody."),
    Column("reason", Text, nullable=False, comment="For the record; nothing about a child."),
    Column("set_by", Text, nullable=False, comment="A person; `hartline` for a restored database."),
    Column("set_at", TIME, nullable=False),
    Column("lifted_by", Text),
    Column("lifted_at", TIME),
    Column("lifted_why", Text),
    CheckConstraint("(cause = 'pause') = (agency_id IS NOT NULL)", name="ck_halts_whom"),
    CheckConstraint("(lifted_by IS NULL) = (lifted_at IS NULL)", name="ck_halts_lifted"),
    comment="While one is open, nothing it covers is claimed; `agencies.halted` says so per row.",
)
Index(
    "uq_halts_open",
    halts.c.cause,
    text("coalesce(agency_id, '')"),
    unique=True,
    postgresql_where=text("lifted_at IS NULL"),
)

holds = Table(
    "holds",
    metadata,
    Column("notice_id", Text, ForeignKey("notify.notices.notice_id"), primary_key=True),
    Column("cause", Text, nullable=False, comment="pause, stop, restored or breaker."),
    Column("held_at", TIME, nullable=False),
    comment="Append-only: notices that were due and held, each told of once.",
)

marks = Table(
    "marks",
    metadata,
    Column("id", Integer, primary_key=True, comment="Always 1."),
    Column("count", BigInteger, nullable=False, comment="Grows while notify runs."),
    comment="Compared with a file outside: a restored database has counted less far.",
)

redrives = Table(
    "redrives",
    metadata,
    Column("redrive_id", Text, primary_key=True),
    Column("agency_id", Text, ForeignKey("notify.agencies.agency_id"), nullable=False),
    Column("planned_from", TIME, nullable=False),
    Column("planned_until", TIME, nullable=False),
    Column("delivered_too", Boolean, nullable=False, comment="A disclosure again, and wanted."),
    Column("reason", Text, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column(
        "proposal_id",
        Text,
        ForeignKey("notify.proposals.proposal_id"),
        comment="That two people agreed to, of more notices than one may have sent again.",
    ),
    Column("asked_at", TIME, nullable=False),
    Column("listed", Integer, nullable=False),
    Column("finished_at", TIME),
    Column("cancelled_by", Text),
    comment="Jobs that send an agency again what was planned for it in a period.",
)
Index("ix_redrives_open", redrives.c.asked_at, postgresql_where=text("finished_at IS NULL"))

redriven = Table(
    "redriven",
    metadata,
    Column("redrive_id", Text, ForeignKey("notify.redrives.redrive_id"), primary_key=True),
    Column("notice_id", Text, ForeignKey("notify.notices.notice_id"), primary_key=True),
    Column("queued_at", TIME, comment="When it was last made due; null: not yet."),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    Column("ended_at", TIME),
    Column("ended_as", Text, comment="accepted, left (not to be sent any more) or cancelled."),
)
Index(
    "ix_redriven_open",
    redriven.c.redrive_id,
    redriven.c.queued_at,
    postgresql_where=text("ended_at IS NULL"),
)
