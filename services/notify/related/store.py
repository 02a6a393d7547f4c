"""All SQL of linked referrals. Nothing here commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text

from services.notify import models
from services.notify.leg_store import MAY_HOLD
from services.notify.related.tables import referral_links, related_plans
from shared.contracts.codes import Relation
from shared.contracts.referrals import ReferralLinked
from shared.runtime.db import Session

LOOKED_AT_FOR = timedelta(days=30)
"""Whoever is told of the later of the two only after that gets no related notice."""

_LINKS, _PLANS = referral_links.fullname, related_plans.fullname
_NOTICES, _DELIVERIES = models.notices.fullname, models.deliveries.fullname

_LINK = text(
    f"INSERT INTO {_LINKS} (referral_id, related_referral_id, relation, linked_at) "
    "VALUES (:referral_id, :related, :relation, :at) ON CONFLICT DO NOTHING"
)
# Told for certain, and of content: neither unread, nor without an answer, nor asked back.
_TOLD = (
    "SELECT {what} "
    f"FROM {_NOTICES} n JOIN {_DELIVERIES} d USING (notice_id) WHERE n.referral_id = {{referral}} "
    "AND n.series = 'received' AND n.kind IN ('original', 'correction') "
    f"AND d.state = 'delivered' AND d.unread_since IS NULL AND ({MAY_HOLD}) "
    f"AND NOT EXISTS (SELECT FROM {models.recalls.fullname} r WHERE r.notice_id = n.notice_id)"
)
_WITHDRAWN = (
    f"SELECT FROM {models.withdrawals.fullname} w "
    "WHERE w.referral_id IN (l.referral_id, l.related_referral_id)"
)
_BOTH = (
    f"{_TOLD.format(what='n.agency_id', referral='l.referral_id')} INTERSECT "
    f"{_TOLD.format(what='n.agency_id', referral='l.related_referral_id')}"
)
_DUE = text(
    "SELECT l.referral_id, l.related_referral_id, l.relation, b.agency_id "
    f"FROM {_LINKS} l CROSS JOIN LATERAL ({_BOTH}) AS b(agency_id) "
    f"WHERE l.linked_at > :since AND NOT EXISTS ({_WITHDRAWN}) "
    f"AND NOT EXISTS (SELECT FROM {_PLANS} p WHERE p.agency_id = b.agency_id "
    "AND p.first_referral_id IN (l.referral_id, l.related_referral_id) "
    "AND p.second_referral_id IN (l.referral_id, l.related_referral_id)) "
    "ORDER BY l.linked_at, l.referral_id, l.related_referral_id, b.agency_id "
    "LIMIT 100 OFFSET :passed"
)
_HELD = text(
    f"{_TOLD.format(what='n.notice_id', referral=':referral_id')} AND n.agency_id = :agency_id"
)
_TAKE = text(
    f"INSERT INTO {_PLANS} (first_referral_id, second_referral_id, agency_id, planned_at) "
    "VALUES (:first, :second, :agency_id, :now) ON CONFLICT DO NOTHING RETURNING 1"
)


@dataclass(frozen=True, slots=True)
class Due:
    """A recipient of both of two linked referrals, in the order in which they were linked."""

    referral_id: str
    related_referral_id: str
    relation: Relation
    agency_id: str


async def link(session: Session, data: ReferralLinked) -> None:
    """Once, whichever way and however often they are linked by hand."""
    values = {"referral_id": data.referral_id, "related": data.related_referral_id}
    values |= {"relation": data.relation.value}
    await session.execute(_LINK, {**values, "at": data.recorded_at})


async def due(session: Session, now: datetime, passed: int = 0) -> list[Due]:
    """Recipients of both of whom nobody has decided yet, the oldest link first, a hundred of them
    behind the first `passed`."""
    rows = await session.execute(_DUE, {"since": now - LOOKED_AT_FOR, "passed": passed})
    return [Due(**{**dict(row), "relation": Relation(row.relation)}) for row in rows]


async def told(session: Session, referral_id: str, agency_id: str) -> Sequence[str]:
    """The referral's notices that this recipient was told by."""
    values = {"referral_id": referral_id, "agency_id": agency_id}
    found: Sequence[str] = await session.scalars(_HELD, values)
    return found


async def take(session: Session, first: str, second: str, agency_id: str, now: datetime) -> bool:
    """Record that it is decided now; False when it was before."""
    values = {"first": first, "second": second, "agency_id": agency_id, "now": now}
    return await session.scalar(_TAKE, values) is not None
