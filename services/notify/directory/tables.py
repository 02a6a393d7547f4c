"""Tables of the directory: who is on file, since when, and by whose decision."""

from sqlalchemy import Column, Date, Index, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from services.notify.models import TIME, metadata

directory = Table(
    "directory",
    metadata,
    Column("id", Integer, primary_key=True, comment="Always 1."),
    Column("version", Integer, nullable=False, comment="Grows with every change to an agency."),
)

directory_versions = Table(
    "directory_versions",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("effective_on", Date, nullable=False, comment="The day in Connecticut it was made."),
    Column("applied_at", TIME, nullable=False),
    Column("proposal_id", Text, comment="Null: seeded as a sample, or a day had come."),
    comment="Append-only: when each version of the directory came to be, and by whose decision.",
)

agency_terms = Table(
    "agency_terms",
    metadata,
    Column("agency_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("valid_from", Date, primary_key=True),
    Column("fields", JSONB, nullable=False, comment="What changes on that day; at first, all."),
    comment="Append-only: the directory's history. `agencies` is what is in force of it today.",
)
Index("ix_agency_terms_valid_from", agency_terms.c.valid_from)
