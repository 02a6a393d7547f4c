"""Tables of the HART consults, the Director's triage and the flagged cases.

What a person typed lies sealed: under the child's key, or, where no child is known, the row's own.
"""

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ARRAY

from services.intake.metadata import TIME, metadata

consults = Table(
    "consults",
    metadata,
    Column("consult_id", Text, primary_key=True),
    Column("referral_id", Text, ForeignKey("intake.referrals.referral_id"), nullable=False),
    Column("child_id", Text, ForeignKey("intake.child_keys.child_id"), nullable=False),
    Column("ordinal", Integer, nullable=False, comment="1 for a child's first consult."),
    UniqueConstraint("child_id", "ordinal", name="uq_consults_child_id_ordinal"),
    comment="Append-only. New facts open another one (C30).",
)

consult_entries = Table(
    "consult_entries",
    metadata,
    Column("consult_id", Text, ForeignKey("intake.consults.consult_id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("step", Text, nullable=False),
    Column("actor", Text, nullable=False, comment="Token subject of who took the step."),
    Column("person", Text, nullable=False, comment="The liaison of an assignment; else actor."),
    Column("occurred_at", TIME, nullable=False),
    Column("recorded_at", TIME, nullable=False),
    Column("sealed", LargeBinary, comment="The step's narrative; null when it has none."),
    comment="Append-only: a consult's whole history.",
)

recusals = Table(
    "recusals",
    metadata,
    Column("recusal_id", Text, primary_key=True),
    Column("referral_id", Text, ForeignKey("intake.referrals.referral_id"), nullable=False),
    Column(
        "person_index", LargeBinary, nullable=False, comment="HMAC: a conflict betrays somebody."
    ),
    Column("child_id", Text, ForeignKey("intake.child_keys.child_id"), nullable=False),
    Column("sealed", LargeBinary, nullable=False, comment="Who, and why."),
    Column("recorded_by", Text, nullable=False),
    Column("recorded_at", TIME, nullable=False),
    comment="Append-only: who has a conflict and is kept out (C17, C18).",
)
Index("ix_recusals_referral_id", recusals.c.referral_id)
Index("ix_recusals_person_index", recusals.c.person_index)

recusal_lifts = Table(
    "recusal_lifts",
    metadata,
    Column("recusal_id", Text, ForeignKey("intake.recusals.recusal_id"), primary_key=True),
    Column("step", Text, primary_key=True, comment="proposed, then confirmed by another."),
    Column("recorded_by", Text, nullable=False, comment="Token subject of a person."),
    Column("recorded_at", TIME, nullable=False),
    comment="Append-only: a recusal that is confirmed here holds no more.",
)

glass_breaks = Table(
    "glass_breaks",
    metadata,
    Column("disclosure_id", Text, primary_key=True),
    Column("consult_id", Text, ForeignKey("intake.consults.consult_id"), nullable=False),
    Column("person", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False, comment="The reason, under the child's key."),
    Column("broken_at", TIME, nullable=False),
    comment="Append-only: reads by people who were not concerned, each with its reason.",
)

triage_reviews = Table(
    "triage_reviews",
    metadata,
    Column("review_id", Text, primary_key=True),
    Column("referral_id", Text, ForeignKey("intake.referrals.referral_id"), nullable=False),
    Column("version", Integer, nullable=False, comment="The version reviewed."),
    Column("reviewer", Text, nullable=False, comment="Token subject."),
    Column("sent_to", ARRAY(Text), nullable=False),
    Column("reviewed_at", TIME, nullable=False),
    comment="Append-only: the HART Director's reviews of every DCF-737.",
)
Index("ix_triage_reviews_referral_id", triage_reviews.c.referral_id, triage_reviews.c.version)

case_flags = Table(
    "case_flags",
    metadata,
    Column("flag_id", Text, primary_key=True),
    Column("case_index", LargeBinary, nullable=False, comment="HMAC of the case number."),
    Column("ordinal", Integer, nullable=False, comment="1 for a case's first flag."),
    Column("kek_version", Integer, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("key_version", Integer, nullable=False, comment="The data key's own version."),
    Column("sealed", LargeBinary, nullable=False, comment="Case number and reasons."),
    Column("flagged_at", TIME, nullable=False),
    Column("recorded_by", Text, nullable=False, comment="Token subject."),
    Column("recorded_at", TIME, nullable=False),
    UniqueConstraint("case_index", "ordinal", name="uq_case_flags_case_index_ordinal"),
)

case_flag_links = Table(
    "case_flag_links",
    metadata,
    Column("flag_id", Text, ForeignKey("intake.case_flags.flag_id"), primary_key=True),
    Column("referral_id", Text, ForeignKey("intake.referrals.referral_id"), nullable=False),
    Column("recorded_by", Text, nullable=False),
    Column("recorded_at", TIME, nullable=False),
    comment="Append-only: the DCF-737 that a flagged case has.",
)

case_flags_found = Table(
    "case_flags_found",
    metadata,
    Column("flag_id", Text, ForeignKey("intake.case_flags.flag_id"), primary_key=True),
    Column("found_at", TIME, nullable=False),
    comment="Append-only: flagged cases whose missing DCF-737 was reported, once each.",
)
