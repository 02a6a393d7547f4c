"""Tables of enrolment: how an agency's endpoint and key come on record, and what runs out."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from services.notify.models import TIME, metadata

enrolments = Table(
    "enrolments",
    metadata,
    Column("enrolment_id", Text, primary_key=True),
    Column("agency_id", Text, ForeignKey("notify.agencies.agency_id"), nullable=False),
    Column("code_hash", Text, comment="SHA-256 of the one-time code; null once it is used."),
    Column("expires_at", TIME, nullable=False),
    Column("wrong_codes", Integer, nullable=False, server_default=text("0")),
    Column("invited_by", Text, nullable=False),
    Column("invited_at", TIME, nullable=False),
    Column("submitted_by", Text),
    Column("submitted_at", TIME),
    Column("endpoint", Text),
    Column("encryption_key", JSONB(none_as_null=True), comment="Public P-256 JWK."),
    Column("thumbprint", Text, comment="RFC 7638, of the key."),
    Column("proved_at", TIME, comment="When the endpoint opened a challenge to that key."),
    Column("confirmed_by", Text, comment="Who had the fingerprint read to them: another person."),
    Column("confirmed_at", TIME),
    Column("tested_at", TIME, comment="When the endpoint accepted a test notice."),
    Column("proposal_id", Text, ForeignKey("notify.proposals.proposal_id")),
    Column("ended_by", Text),
    Column("ended_at", TIME),
    CheckConstraint("confirmed_by <> invited_by", name="ck_enrolments_two_people"),
)
Index(
    "uq_enrolments_open",
    enrolments.c.agency_id,
    unique=True,
    postgresql_where=text("proposal_id IS NULL AND ended_at IS NULL"),
)

certificates = Table(
    "certificates",
    metadata,
    Column("agency_id", Text, ForeignKey("notify.agencies.agency_id"), primary_key=True),
    Column("endpoint", Text, nullable=False),
    Column("not_after", TIME, comment="Null: it could not be looked at."),
    Column("looked_at", TIME, nullable=False),
    comment="When the certificate of an endpoint ends, as last seen.",
)
