"""Tables of sameness: keyed digests, candidates, answers, persons. Nothing of a child in clear."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from services.intake.metadata import metadata

TIME = DateTime(timezone=True)
REFERRAL = "intake.referrals.referral_id"
CHILD = "intake.child_keys.child_id"

blind_index = Table(
    "blind_index",
    metadata,
    Column("child_id", Text, ForeignKey(CHILD), primary_key=True),
    Column("digest", LargeBinary, primary_key=True, comment="Of what is compared."),
    Column("kind", Text, nullable=False, comment="name, part_and_birth, or case."),
    Column("referral_id", Text, nullable=False),
)
Index("ix_blind_index_digest", blind_index.c.digest)

people = Table(
    "people",
    metadata,
    Column("child_id", Text, ForeignKey(CHILD), primary_key=True),
    Column("referral_id", Text, nullable=False),
    Column("person_id", Text, nullable=False, comment="One for all children held to be one."),
)
Index("ix_people_person_id", people.c.person_id)

candidates = Table(
    "candidates",
    metadata,
    Column("child_id", Text, ForeignKey(CHILD), primary_key=True),
    Column("other_child_id", Text, ForeignKey(CHILD), primary_key=True),
    Column("because", ARRAY(Text), nullable=False, comment="Kinds of digest that they share."),
    Column("found_at", TIME, nullable=False),
    Column("answered_at", TIME, comment="Null while no person has answered."),
    CheckConstraint("child_id < other_child_id", name="ck_candidates_order"),
)
Index(
    "ix_candidates_waiting",
    candidates.c.found_at,
    postgresql_where=text("answered_at IS NULL"),
)
Index("ix_candidates_other", candidates.c.other_child_id)

sameness = Table(
    "sameness",
    metadata,
    Column("child_id", Text, ForeignKey(CHILD), primary_key=True),
    Column("other_child_id", Text, ForeignKey(CHILD), primary_key=True),
    Column("answer", Integer, primary_key=True, autoincrement=False, comment="The last holds."),
    Column("same", Boolean, nullable=False),
    Column("recorded_at", TIME, nullable=False),
    Column("answered_by", Text, nullable=False, comment="Token subject: a person."),
    comment="Append-only.",
)
