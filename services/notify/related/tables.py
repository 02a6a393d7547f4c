"""Tables of linked referrals."""

from sqlalchemy import Column, Index, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY

from services.notify.models import TIME, metadata

referral_links = Table(
    "referral_links",
    metadata,
    Column("referral_id", Text, primary_key=True),
    Column("related_referral_id", Text, primary_key=True),
    Column("relation", Text, nullable=False),
    Column("linked_at", TIME, nullable=False),
    Column("child_ids", ARRAY(Text), nullable=False, server_default="{}"),
    Column("related_child_ids", ARRAY(Text), nullable=False, server_default="{}"),
    comment="Append-only: referrals that speak of the same matter (C9), as intake links them.",
)
Index("ix_referral_links_at", referral_links.c.linked_at)

related_plans = Table(
    "related_plans",
    metadata,
    Column("first_referral_id", Text, primary_key=True),
    Column("second_referral_id", Text, primary_key=True),
    Column("agency_id", Text, primary_key=True),
    Column("planned_at", TIME, nullable=False),
    comment="Append-only: recipients of both of two linked referrals, each decided on once.",
)
