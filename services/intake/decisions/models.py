"""Tables of decisions, form DCF-823, withdrawals and links. Their narratives lie sealed, each
child's under that child's own key."""

from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ARRAY

from services.intake.metadata import metadata

TIME = DateTime(timezone=True)
REFERRAL = "intake.referrals.referral_id"
CHILD = "intake.child_keys.child_id"

decisions = Table(
    "decisions",
    metadata,
    Column("referral_id", Text, ForeignKey(REFERRAL), primary_key=True),
    Column("decision", Integer, primary_key=True, autoincrement=False, comment="The last holds."),
    Column("outcome", Text, nullable=False),
    Column("reasons", ARRAY(Text), nullable=False, comment="Codes."),
    Column("version", Integer, nullable=False, comment="Of the referral that was decided on."),
    Column("decided_at", TIME, nullable=False),
    Column("recorded_at", TIME, nullable=False),
    Column("decided_by", Text, nullable=False, comment="Token subject."),
    comment="Append-only.",
)

withdrawals = Table(
    "withdrawals",
    metadata,
    Column("referral_id", Text, ForeignKey(REFERRAL), primary_key=True),
    Column("cause", Text, nullable=False),
    Column("version", Integer, nullable=False, comment="The one that was current."),
    Column("recorded_at", TIME, nullable=False),
    Column("withdrawn_by", Text, nullable=False, comment="Token subject."),
    comment="Append-only. The referral stays.",
)

explanations = Table(
    "explanations",
    metadata,
    Column("child_id", Text, ForeignKey(CHILD), primary_key=True),
    Column("about", Text, primary_key=True, comment="decision/N or withdrawal."),
    Column("sealed", LargeBinary, nullable=False, comment="The reason in words, once per child."),
)

incidents = Table(
    "incidents",
    metadata,
    Column("incident_id", Text, primary_key=True),
    Column("child_id", Text, ForeignKey(CHILD), nullable=False),
    Column("referral_id", Text, ForeignKey(REFERRAL), nullable=False),
    Column("version", Integer, nullable=False, comment="The current one."),
    UniqueConstraint("child_id", name="uq_incidents_child_id"),
    comment="Form DCF-823, one per child of an accepted referral.",
)
Index("ix_incidents_referral_id", incidents.c.referral_id)

incident_versions = Table(
    "incident_versions",
    metadata,
    Column("incident_id", Text, ForeignKey("intake.incidents.incident_id"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("standing", Text, nullable=False, comment="open, or acceptance_reversed."),
    Column("decision", Integer, nullable=False, comment="The decision that held."),
    Column("recorded_at", TIME, nullable=False),
    Column("recorded_by", Text, nullable=False, comment="Token subject: the author."),
    comment="Append-only: an incident is amended, never deleted.",
)

incident_documents = Table(
    "incident_documents",
    metadata,
    Column("incident_id", Text, ForeignKey("intake.incidents.incident_id"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("sealed", LargeBinary, nullable=False, comment="Under the child's own key."),
)

referral_links = Table(
    "referral_links",
    metadata,
    Column("link_id", Text, primary_key=True),
    Column("referral_id", Text, ForeignKey(REFERRAL), nullable=False),
    Column("related_referral_id", Text, ForeignKey(REFERRAL), nullable=False),
    Column("relation", Text, nullable=False),
    Column("recorded_at", TIME, nullable=False),
    Column("linked_by", Text, nullable=False, comment="Token subject."),
    UniqueConstraint(
        "referral_id", "related_referral_id", "relation", name="uq_referral_links_once"
    ),
    comment="Append-only: both referrals stay.",
)
Index("ix_referral_links_related", referral_links.c.related_referral_id)
