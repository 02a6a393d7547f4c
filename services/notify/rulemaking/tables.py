"""Table of the rulebooks that two people have put in force."""

from sqlalchemy import BigInteger, Column, Date, DateTime, Identity, Table, Text, UniqueConstraint

from services.notify.models import metadata

rulebooks = Table(
    "rulebooks",
    metadata,
    Column("number", BigInteger, Identity(always=True), primary_key=True),
    Column("version", Text, nullable=False),
    Column("text", Text, nullable=False, comment="The rules file, as it was proposed."),
    Column("effective", Date, nullable=False, comment="The first day in Connecticut."),
    Column("proposal_id", Text, nullable=False),
    Column("adopted_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("version", name="uq_rulebooks_version"),
    comment="What routing goes by beyond the rules file that Hartline ships. Rows are never "
    "changed.",
)
