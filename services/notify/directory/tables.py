"""Tables of the directory: who is on file, since when, and by whose decision."""

from sqlalchemy import Boolean, Column, Date, Index, Integer, LargeBinary, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from services.notify.models import TIME, metadata

agencies = Table(
    "agencies",
    metadata,
    Column("agency_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("profile", Text, nullable=False, comment="Projection profile: what it may see."),
    Column("towns", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("judicial_districts", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("authority", Text, comment="Citation that permits disclosure; null: none on file."),
    Column("authority_from", Date),
    Column("authority_to", Date, comment="Last day in force; null: no end on file."),
    Column("endpoint", Text),
    Column("encryption_key", JSONB(none_as_null=True), comment="Public P-256 JWK of the agency."),
    Column("allowed_networks", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("sample", Boolean, nullable=False, server_default=text("false")),
    Column("hold_until", TIME, comment="The breaker: no first try or retry before this."),
    Column("consecutive_failures", Integer, nullable=False, server_default=text("0")),
    Column("halted", Boolean, nullable=False, server_default=text("false")),
    Column("code", Text, comment="What people and files call it, for good."),
    Column("beats", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("offices", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("affiliations", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("seat", Text, comment="Of a member of a multidisciplinary team."),
    Column("mou", Text),
    Column("mou_to", Date, comment="When the agreement ends, so does the authority."),
    Column("contact", Text, comment="A desk and its number."),
    Column("successor", Text, comment="Of a closed agency: the code of who does its work now."),
    Column("closed", Boolean, nullable=False, server_default=text("false")),
    Column("channel", Text, nullable=False, server_default=text("'encrypted'")),
    Column("email", Text, comment="A desk's, for pointers without content."),
    Column(
        "webhook_secrets",
        ARRAY(LargeBinary),
        nullable=False,
        server_default=text("'{}'"),
        comment="Sealed whsec_ secrets, where it asks for v1: the newest, and the one before it.",
    ),
    Column("webhook_secret_ends", TIME, comment="Until when the one before it signs too."),
    Column("max_in_flight", Integer, comment="Attempts at a time; null: no limit."),
    Column("max_per_minute", Integer, comment="Of any minute; null: no limit."),
)
Index(
    "uq_agencies_code",
    agencies.c.code,
    unique=True,
    postgresql_where=text("code IS NOT NULL"),
)

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
