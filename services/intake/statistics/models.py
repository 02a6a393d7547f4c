"""Tables of the statistics, in schema `intake`: coded facts, and no id that leads to a child."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from services.intake.metadata import metadata

TIME = DateTime(timezone=True)

facts = Table(
    "statistics_facts",
    metadata,
    Column("child", LargeBinary, primary_key=True, comment="HMAC of a child's id."),
    Column("referral", LargeBinary, nullable=False, comment="HMAC of its referral's id."),
    Column("person", LargeBinary, nullable=False, comment="HMAC of the person's, or child's, id."),
    Column("month", Integer, nullable=False, comment="Received: year * 12 + month - 1."),
    Column("race", Text, nullable=False),
    Column("age_band", Text, nullable=False, comment="At victimisation."),
    Column("residence", Text, nullable=False, comment="At exploitation."),
    Column("gender", Text, nullable=False),
    Column("ht_type", Text, nullable=False),
    Column("venues", ARRAY(Text), nullable=False),
    Column(
        "towns",
        ARRAY(Text),
        nullable=False,
        comment="HMACs; none of an address-confidential child.",
    ),
    Column("facility", LargeBinary, nullable=True, comment="HMAC of its folded name."),
    Column("identified", Boolean, nullable=False, comment="By a Decision Map."),
    comment="What counts: made from sealed documents, and made again at will.",
)
Index("ix_statistics_facts_person", facts.c.person)
Index(
    "ix_statistics_facts_facility",
    facts.c.facility,
    postgresql_where=text("facility IS NOT NULL"),
)

counts = Table(
    "statistics_counts",
    metadata,
    Column("span", Text, primary_key=True, comment="sum, month or year (counting.py)."),
    Column("period", Integer, primary_key=True, comment="A month, or a year."),
    Column("name", Text, primary_key=True, comment="Of the table."),
    Column("code", Text, primary_key=True, comment="Of its row."),
    Column("n", BigInteger, nullable=False),
    comment="Kept with the facts, so that no answer has to count rows.",
)

marks = Table(
    "statistics_marks",
    metadata,
    Column("referral_id", Text, primary_key=True),
    Column("child_id", Text, primary_key=True, comment="Empty if it is about the referral."),
    Column("mark", Text, primary_key=True, comment="Why it does not count, or whose it is."),
    Column("person_id", Text, nullable=True),
    Column("until", TIME, nullable=True),
    comment="How a referral stands beside its documents (standing_store.py).",
)

recounts = Table(
    "statistics_recounts",
    metadata,
    Column("referral_id", Text, primary_key=True),
    Column("due_at", TIME, primary_key=True),
    comment="A queue: referrals to be tallied again though they have no new version.",
)
Index("ix_statistics_recounts_due_at", recounts.c.due_at)

changes = Table(
    "statistics_changes",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("year", Integer, nullable=False),
    Column("cause", Text, nullable=False),
    Column("columns", ARRAY(Text), nullable=False, comment="Names, never codes."),
    Column("recorded_at", TIME, nullable=False),
    comment="Append-only: what changed in a year that had been released, and why.",
)
Index("ix_statistics_changes_year", changes.c.year, changes.c.id)

releases = Table(
    "statistics_releases",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("year", Integer, nullable=False),
    Column("made_at", TIME, nullable=False),
    Column("made_by", Text, nullable=False, comment="Token subject."),
    Column("reason", Text, nullable=False),
    Column("tables", JSONB, nullable=False, comment="Exact."),
    Column("withheld", ARRAY(Text), nullable=True, comment="Cells; null: nothing is public."),
    Column("through_change", BigInteger, nullable=False, comment="The last change in it."),
    Column("key_digest", LargeBinary, nullable=False),
    Column("body_digest", LargeBinary, nullable=False),
    UniqueConstraint("made_by", "key_digest", name="uq_statistics_releases_key"),
    comment="Append-only.",
)

exports = Table(
    "statistics_exports",
    metadata,
    Column("export_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("year", Integer, nullable=False),
    Column("month", Integer, nullable=True),
    Column("format", Text, nullable=False),
    Column("asked_by", Text, nullable=False, comment="Token subject of a person."),
    Column("asked_at", TIME, nullable=False),
    Column("key_digest", LargeBinary, nullable=False),
    Column("body_digest", LargeBinary, nullable=False),
    UniqueConstraint("asked_by", "key_digest", name="uq_statistics_exports_key"),
    comment="Append-only: who asked for exact figures.",
)

approvals = Table(
    "statistics_approvals",
    metadata,
    Column("export_id", Text, primary_key=True),
    Column("approved_by", Text, nullable=False, comment="Another person than who asked."),
    Column("approved_at", TIME, nullable=False),
    comment="Append-only.",
)

disclosures = Table(
    "statistics_disclosures",
    metadata,
    Column("disclosure_id", Text, primary_key=True),
    Column("export_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("actor_kind", Text, nullable=False),
    Column("approved_by", Text, nullable=True),
    Column("authority", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("tables", ARRAY(Text), nullable=False, comment="Names, never figures."),
    Column("commitment", Text, nullable=False, comment="HMAC-SHA256 over what was shown."),
    Column("exported_at", TIME, nullable=False),
    comment="Append-only (P2): committed before the first byte of exact figures is returned.",
)
