"""Tables of the later stages of a referral, and of its withdrawal."""

from sqlalchemy import Boolean, Column, Integer, Table, Text

from services.notify.models import TIME, metadata

staged_plans = Table(
    "staged_plans",
    metadata,
    Column("referral_id", Text, primary_key=True),
    Column("series", Text, primary_key=True, comment="accepted, or a share's id."),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("stage", Text, nullable=False),
    Column("accepted", Boolean, nullable=False, comment="False: the acceptance was reversed."),
    Column("consult_id", Text, comment="Of a share: what is shared, and of which child."),
    Column("child_id", Text),
    Column("rules_version", Text, nullable=False),
    Column("directory_version", Integer, nullable=False),
    Column("planned_at", TIME, nullable=False),
    comment="Append-only (P3): plans of the later stages, each by its referral version and "
    "decision.",
)

withdrawals = Table(
    "withdrawals",
    metadata,
    Column("referral_id", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("cause", Text, nullable=False),
    Column("withdrawn_at", TIME, nullable=False),
    Column("planned_at", TIME, nullable=False),
    comment="Append-only: withdrawn referrals. Nothing is planned for one after this.",
)
