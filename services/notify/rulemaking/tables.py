"""Tables of the rulebooks that two people have put in force, and of those that Hartline ships."""

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

shipped_rules = Table(
    "shipped_rules",
    metadata,
    Column("version", Text, primary_key=True),
    Column("digest", Text, nullable=False, comment="SHA-256 of what the file says, in hex."),
    Column("text", Text, nullable=False, comment="The file, byte for byte."),
    Column("kept_at", DateTime(timezone=True), nullable=False),
    comment="Append-only: the rules files that notify has started with.",
)
