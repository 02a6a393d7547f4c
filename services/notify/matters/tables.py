"""The table of matters."""

from sqlalchemy import Column, Integer, Table, Text

from services.notify.models import TIME, metadata

matters = Table(
    "matters",
    metadata,
    Column("referral_id", Text, primary_key=True),
    Column("series", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("child_id", Text, primary_key=True),
    Column("rule", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("effect", Text, nullable=False, comment="review or ask."),
    Column("because", Text, nullable=False),
    Column("rules_version", Text, nullable=False),
    Column("directory_version", Integer, nullable=False),
    Column("planned_at", TIME, nullable=False),
    comment="Append-only: what plans asked of a person, or put up for review.",
)
