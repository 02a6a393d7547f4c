"""All SQL of what recipients' own systems say they hold. Nothing here commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from services.notify import models
from services.notify.mailbox.tables import receipts, statements
from services.notify.recalls import tables as recall_tables
from shared.runtime.db import Session


@dataclass(frozen=True, slots=True)
class Missing:
    """A notice that its recipient's system answered for and does not hold."""

    notice_id: str
    referral_id: str


_STATED = text(
    f"INSERT INTO {statements.fullname} (statement_id, agency_id, since, until, stated_at) "
    "VALUES (:statement_id, :agency_id, :since, :until, :now)"
)
# Only its own notices: an id of another's, or of nobody, leaves no trace and no answer (P10).
_HELD = text(
    f"INSERT INTO {receipts.fullname} (notice_id, agency_id, statement_id) "
    f"SELECT n.notice_id, n.agency_id, :statement_id FROM {models.notices.fullname} n "
    "WHERE n.notice_id = ANY(CAST(:ids AS text[])) AND n.agency_id = :agency_id "
    "ON CONFLICT (notice_id) DO NOTHING"
)
ANSWERED = (
    f"FROM {models.disclosures.fullname} s JOIN {models.disclosure_outcomes.fullname} o "
    "USING (disclosure_id) WHERE s.channel = 'encrypted' AND o.http_status BETWEEN 200 AND 299"
)
"""Attempts that a recipient's server has answered for with its content in hand."""
NOT_RECALLED = (
    f"NOT EXISTS (SELECT FROM {recall_tables.recalls.fullname} c WHERE c.notice_id = {{notice_id}})"
)
"""Who was asked to give a notice up need not hold it."""
_MISSING = text(
    "SELECT n.notice_id, n.referral_id FROM (SELECT s.notice_id, min(o.occurred_at) AS taken_at "
    f"{ANSWERED} AND s.agency_id = :agency_id AND o.occurred_at >= :since "
    "AND o.occurred_at < :until GROUP BY s.notice_id) AS taken "
    f"JOIN {models.notices.fullname} n USING (notice_id) WHERE NOT EXISTS "
    f"(SELECT FROM {receipts.fullname} r WHERE r.notice_id = n.notice_id) "
    f"AND {NOT_RECALLED.format(notice_id='n.notice_id')} "
    "ORDER BY taken_at, n.notice_id"
)


async def state(
    session: Session,
    statement_id: str,
    agency_id: str,
    window: tuple[datetime, datetime],
    notice_ids: Sequence[str],
    now: datetime,
) -> None:
    """Keep what it says it holds."""
    values = {"statement_id": statement_id, "agency_id": agency_id}
    times = {"since": window[0], "until": window[1], "now": now}
    await session.execute(_STATED, values | times)
    await session.execute(_HELD, values | {"ids": sorted(set(notice_ids))})


async def missing(
    session: Session, agency_id: str, since: datetime, until: datetime
) -> list[Missing]:
    """What its server answered for in that time and it never said that it holds."""
    values = {"agency_id": agency_id, "since": since, "until": until}
    return [Missing(**dict(row)) for row in await session.execute(_MISSING, values)]
