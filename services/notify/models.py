"""Tables of the notify service, in schema `notify`."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from shared.messaging.tables import inbox_tables, outbox_tables
from shared.runtime.acts import acts_table

metadata = MetaData(schema="notify")
ACTS = acts_table(metadata)
OUTBOX = outbox_tables(metadata)
INBOX = inbox_tables(metadata)

TIME = DateTime(timezone=True)

child_keys = Table(
    "child_keys",
    metadata,
    Column("child_id", Text, primary_key=True),
    Column("kek_version", Integer, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("shredded_at", TIME),
    CheckConstraint("(wrapped = '') = (shredded_at IS NOT NULL)", name="ck_child_keys_shredded"),
)

shreddings = Table(
    "shreddings",
    metadata,
    Column("shredding_id", Text, primary_key=True),
    Column("referral_id", Text, nullable=False),
    Column("child_id", Text, nullable=False),
    Column("ordered_at", TIME, nullable=False),
    Column("confirmed_at", TIME, comment="When no attempt was open any more."),
    comment="Orders to destroy a child's content. The key goes at once.",
)
Index(
    "ix_shreddings_open",
    shreddings.c.ordered_at,
    postgresql_where=text("confirmed_at IS NULL"),
)

copies = Table(
    "copies",
    metadata,
    Column("child_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("profile", Text, primary_key=True),
    Column("sealed", LargeBinary, nullable=False, comment="One child's copy for one profile."),
)

notices = Table(
    "notices",
    metadata,
    Column("notice_id", Text, primary_key=True),
    Column("referral_id", Text, nullable=False),
    Column("referral_number", Text, nullable=False),
    Column("child_id", Text, nullable=False),
    Column("agency_id", Text, ForeignKey("notify.agencies.agency_id"), nullable=False),
    Column("role", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("kind", Text, nullable=False, comment="As NoticeKind."),
    Column("supersedes", Integer, comment="Latest version this recipient may hold."),
    Column(
        "series",
        Text,
        nullable=False,
        server_default=text("'received'"),
        comment="Which notices replace one another: received, accepted, a share, a withdrawal.",
    ),
    Column(
        "revision",
        Integer,
        nullable=False,
        server_default=text("0"),
        comment="Of one version the higher counts: the decision that an accepted stage follows.",
    ),
    Column("form", Text, nullable=False, server_default=text("'dcf_737'")),
    Column("part", Text, comment="In `copies`, by this profile: what its kind is about."),
    Column("cause", Text, comment="A withdrawal's."),
    Column("recalls", Text, comment="The notice that a recall asks back."),
    Column("relates_to", Text, comment="The referral that a related notice names."),
    Column("relation", Text, comment="A related notice's, by its code."),
    Column("trigger", Text, nullable=False),
    Column("profile", Text, comment="Null for a supersession, which has no content."),
    Column("fields", ARRAY(Text), nullable=False),
    Column("commitment", Text, nullable=False),
    Column("authority", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("because", Text, nullable=False, comment="The rule in words, for this recipient."),
    Column("rules_version", Text, nullable=False),
    Column("directory_version", Integer, nullable=False),
    Column("received_at", TIME, nullable=False),
    Column("planned_at", TIME, nullable=False),
    Column("synthetic", Boolean, nullable=False),
    Column("traceparent", Text, comment="Of its plan, where that is traced (ADR 0040)."),
    comment="Frozen when planned; what happens to a notice is in deliveries.",
)
Index(
    "uq_notices_recipient_version",
    notices.c.referral_id,
    notices.c.child_id,
    notices.c.agency_id,
    notices.c.series,
    notices.c.version,
    notices.c.revision,
    unique=True,
)
Index(
    "ix_notices_relates_to",
    notices.c.relates_to,
    postgresql_where=text("relates_to IS NOT NULL"),
)
Index("ix_notices_agency", notices.c.agency_id, notices.c.planned_at, notices.c.notice_id)

plans = Table(
    "plans",
    metadata,
    Column("referral_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("rules_version", Text, nullable=False),
    Column("directory_version", Integer, nullable=False),
    Column("planned_at", TIME, nullable=False),
    Column("accepted_at", TIME, comment="By intake; null in what 0023 found."),
    comment="Append-only (P3): which referral versions were planned, by which rules.",
)

refusals = Table(
    "refusals",
    metadata,
    Column("notice_id", Text, primary_key=True, comment="Of the notice that was not made."),
    Column("referral_id", Text, nullable=False),
    Column("child_id", Text, nullable=False),
    Column("agency_id", Text, comment="Null when no agency fits the role."),
    Column("role", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("because", Text, nullable=False),
    Column("refused_at", TIME, nullable=False),
    Column("series", Text, nullable=False, server_default=text("'received'")),
    Column("revision", Integer, nullable=False, server_default=text("0")),
    comment="Append-only: legs refused when planned (P3). Nothing was ever sent for these.",
)
Index("ix_refusals_referral", refusals.c.referral_id)

deliveries = Table(
    "deliveries",
    metadata,
    Column("notice_id", Text, ForeignKey("notify.notices.notice_id"), primary_key=True),
    Column("referral_id", Text, nullable=False),
    Column("child_id", Text, nullable=False),
    Column("agency_id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column(
        "state",
        Text,
        nullable=False,
        comment="pending, blocked, attempting, delivered, superseded, withdrawn, refused or "
        "closed.",
    ),
    Column("series", Text, nullable=False, server_default=text("'received'")),
    Column(
        "withdrawn",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="Set while an attempt is open: withdrawn meanwhile, do not retry.",
    ),
    Column("superseded_by", Integer, comment="Set while an attempt is open: do not retry."),
    Column("next_attempt_at", TIME, comment="Set exactly while pending."),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column(
        "open_disclosure_id",
        Text,
        comment="The attempt under way, and the lease's token; set exactly while attempting.",
    ),
    Column("attempt_deadline", TIME, comment="When the open attempt must be over."),
    Column("lease_owner", Integer),
    Column("delivered_at", TIME, comment="The first 2xx, however late it came to light."),
    Column("ended_at", TIME, comment="When it came to need no further attempt."),
    Column("unread_since", TIME, comment="A pointer arrived, and nobody has opened it since."),
    Column("opened_at", TIME, comment="First opened in the mailbox, or told by word of mouth."),
    Column("acknowledged_at", TIME, comment="When its recipient first said that it has it."),
    Column(
        "planned_at",
        TIME,
        comment="When its notice was; null: planned by a release that did not say it here.",
    ),
)
Index(
    "ix_deliveries_waiting",
    deliveries.c.planned_at,
    postgresql_where=text("state IN ('pending', 'blocked') AND delivered_at IS NULL"),
)
Index(
    "ix_deliveries_unread",
    deliveries.c.unread_since,
    postgresql_where=text("state = 'delivered' AND unread_since IS NOT NULL"),
)
Index(
    "ix_deliveries_unacknowledged",
    deliveries.c.opened_at,
    postgresql_where=text("opened_at IS NOT NULL AND acknowledged_at IS NULL"),
)
Index(
    "ix_deliveries_first_tries",
    deliveries.c.agency_id,
    deliveries.c.next_attempt_at,
    postgresql_where=text("state = 'pending' AND attempts = 0"),
)
Index(
    "ix_deliveries_retries",
    deliveries.c.agency_id,
    deliveries.c.next_attempt_at,
    postgresql_where=text("state = 'pending' AND attempts > 0"),
)
Index(
    "ix_deliveries_attempting",
    deliveries.c.attempt_deadline,
    postgresql_where=text("state = 'attempting'"),
)
Index("ix_deliveries_blocked", deliveries.c.notice_id, postgresql_where=text("state = 'blocked'"))
Index(
    "ix_deliveries_recipient",
    deliveries.c.referral_id,
    deliveries.c.child_id,
    deliveries.c.agency_id,
)

disclosures = Table(
    "disclosures",
    metadata,
    Column("disclosure_id", Text, primary_key=True),
    Column("notice_id", Text, ForeignKey("notify.notices.notice_id"), nullable=False),
    Column("agency_id", Text, nullable=False),
    Column("attempted_at", TIME, nullable=False),
    Column(
        "channel",
        Text,
        nullable=False,
        server_default=text("'encrypted'"),
        comment="By pickup and email nothing of a child leaves.",
    ),
    comment="Append-only (P2): committed before the first byte of an attempt leaves.",
)
Index("ix_disclosures_notice", disclosures.c.notice_id)

disclosure_outcomes = Table(
    "disclosure_outcomes",
    metadata,
    Column("disclosure_id", Text, primary_key=True),
    Column("outcome", Text, primary_key=True, comment="completed, failed or unknown."),
    Column("http_status", Integer),
    Column("occurred_at", TIME, nullable=False),
    Column("obstacle", Text, comment="Of what failed: why nothing was sent."),
    comment="Append-only, insert-once per outcome. `unknown` may be followed by a late status.",
)
