"""Tables of placements and repatriations. What a person typed lies sealed under the child's key."""

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY

from services.intake.metadata import TIME, metadata

placements = Table(
    "placements",
    metadata,
    Column("placement_id", Text, primary_key=True),
    Column("referral_id", Text, ForeignKey("intake.referrals.referral_id"), nullable=False),
    Column("child_id", Text, ForeignKey("intake.child_keys.child_id"), nullable=False),
    Column("sealed", LargeBinary, nullable=False, comment="The facility, and if implicated."),
    Column("recorded_by", Text, nullable=False, comment="Token subject."),
    Column("recorded_at", TIME, nullable=False),
    comment="Append-only: placements proposed.",
)
Index("ix_placements_child_id", placements.c.child_id)

tellings = Table(
    "tellings",
    metadata,
    Column("disclosure_id", Text, primary_key=True),
    Column("placement_id", Text, ForeignKey("intake.placements.placement_id"), nullable=False),
    Column("version", Integer, nullable=False, comment="Of the referral."),
    Column("sealed", LargeBinary, nullable=False, comment="Who was told."),
    Column("fields", ARRAY(Text), nullable=False, comment="Names of what was told."),
    Column("actor", Text, nullable=False),
    Column("authority", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("commitment", Text, nullable=False),
    Column("occurred_at", TIME, nullable=False),
    Column("recorded_at", TIME, nullable=False),
    comment="Append-only (P2): a facility was told by word of mouth.",
)
Index("ix_tellings_placement_id", tellings.c.placement_id)

placement_confirmations = Table(
    "placement_confirmations",
    metadata,
    Column("placement_id", Text, ForeignKey("intake.placements.placement_id"), primary_key=True),
    Column("recorded_by", Text, nullable=False),
    Column("recorded_at", TIME, nullable=False),
    comment="Append-only.",
)

determinations = Table(
    "determinations",
    metadata,
    Column("determination_id", Text, primary_key=True),
    Column("referral_id", Text, ForeignKey("intake.referrals.referral_id"), nullable=False),
    Column("child_id", Text, ForeignKey("intake.child_keys.child_id"), nullable=False),
    Column("finding", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False, comment="The answer and its reasons."),
    Column("recorded_by", Text, nullable=False),
    Column("recorded_at", TIME, nullable=False),
    comment="Append-only: the two questions before a repatriation.",
)
Index("ix_determinations_child_id", determinations.c.child_id, determinations.c.recorded_at)

repatriations = Table(
    "repatriations",
    metadata,
    Column("repatriation_id", Text, primary_key=True),
    Column("referral_id", Text, ForeignKey("intake.referrals.referral_id"), nullable=False),
    Column("child_id", Text, ForeignKey("intake.child_keys.child_id"), nullable=False),
    Column("recorded_by", Text, nullable=False),
    Column("recorded_at", TIME, nullable=False),
    comment="Append-only: repatriations that both determinations permit.",
)
