"""All SQL of linked referrals. Nothing here commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text

from services.notify import models
from services.notify.leg_store import MAY_HOLD
from services.notify.recalls import tables as recall_tables
from services.notify.related.tables import referral_links, related_plans
from services.notify.stages import tables as stage_tables
from shared.contracts.codes import Relation
from shared.contracts.referrals import ReferralLinked
from shared.runtime.db import Session

LOOKED_AT_FOR = timedelta(days=30)
"""Whoever is told of the later of the two only after that gets no related notice."""

_LINKS, _PLANS = referral_links.fullname, related_plans.fullname
_NOTICES, _DELIVERIES = models.notices.fullname, models.deliveries.fullname

_LINK = text(
    f"INSERT INTO {_LINKS} (referral_id, related_referral_id, relation, linked_at, child_ids, "
    "related_child_ids) VALUES (:referral_id, :related, :relation, :at, "
    "CAST(:children AS text[]), CAST(:others AS text[])) ON CONFLICT DO NOTHING"
)
# Told for certain, and of content: neither unread, nor without an answer, nor asked back.
_TOLD = (
    "SELECT {what} "
    f"FROM {_NOTICES} n JOIN {_DELIVERIES} d USING (notice_id) WHERE n.referral_id = {{referral}} "
    "AND n.series = 'received' AND n.kind IN ('original', 'correction') "
    f"AND d.state = 'delivered' AND d.unread_since IS NULL AND ({MAY_HOLD}) "
    f"AND NOT EXISTS (SELECT FROM {recall_tables.recalls.fullname} r "
    "WHERE r.notice_id = n.notice_id)"
)
_WITHDRAWN = (
    f"SELECT FROM {stage_tables.withdrawals.fullname} w "
    "WHERE w.referral_id IN (l.referral_id, l.related_referral_id)"
)
# A link of one child is nothing to whoever holds another child's notices of these referrals.
_LEG = "n.agency_id, n.child_id, coalesce(d.opened_at, d.delivered_at) AS told_at"
_BESIDE = text(
    "SELECT n.notice_id, n.referral_id, n.child_id, n.agency_id, "
    "n.relates_to IS NOT NULL AS of_a_link, d.state = 'attempting' AS in_flight "
    f"FROM {_NOTICES} n JOIN {_DELIVERIES} d USING (notice_id) "
    "WHERE (n.relates_to = :referral_id OR n.referral_id = :referral_id "
    "AND (n.relates_to IS NOT NULL OR n.recalls IS NOT NULL)) "
    f"AND (d.state IN ('pending', 'blocked', 'attempting') OR d.state = 'delivered' "
    f"AND NOT ({MAY_HOLD})) ORDER BY d.version, n.notice_id FOR UPDATE OF d"
)
_LAST_TRY = text(
    f"UPDATE {_DELIVERIES} SET superseded_by = version WHERE notice_id = ANY(CAST(:ids AS text[]))"
)
_IS_WITHDRAWN = text(
    f"SELECT 1 FROM {stage_tables.withdrawals.fullname} "
    "WHERE referral_id = ANY(CAST(:ids AS text[])) LIMIT 1"
)
_BOTH = (
    "SELECT agency_id, min(greatest(l.linked_at, one.told_at, two.told_at)) AS since "
    f"FROM ({_TOLD.format(what=_LEG, referral='l.referral_id')}) AS one "
    f"JOIN ({_TOLD.format(what=_LEG, referral='l.related_referral_id')}) AS two USING (agency_id) "
    "WHERE l.relation <> 'same_child' OR EXISTS (SELECT "
    "FROM unnest(l.child_ids, l.related_child_ids) AS same(one, two) "
    "WHERE same.one = one.child_id AND same.two = two.child_id) GROUP BY agency_id"
)
_UNDECIDED = (
    f"FROM {_LINKS} l CROSS JOIN LATERAL ({_BOTH}) AS b "
    f"WHERE l.linked_at > {{since}} AND NOT EXISTS ({_WITHDRAWN}) "
    f"AND NOT EXISTS (SELECT FROM {_PLANS} p WHERE p.agency_id = b.agency_id "
    "AND p.first_referral_id IN (l.referral_id, l.related_referral_id) "
    "AND p.second_referral_id IN (l.referral_id, l.related_referral_id)) "
)
_DUE = text(
    "SELECT l.referral_id, l.related_referral_id, l.relation, b.agency_id, "
    f"l.child_ids, l.related_child_ids {_UNDECIDED.format(since=':since')}"
    "ORDER BY l.linked_at, l.referral_id, l.related_referral_id, b.agency_id "
    "LIMIT 100 OFFSET :passed"
)
OLDEST = "SELECT 'related', min(b.since) " + _UNDECIDED.format(
    since=f"now() - interval '{LOOKED_AT_FOR.days} days'"
)
"""When the first recipient was told of both of two linked referrals on whom nobody has decided."""
_HELD = text(
    f"{_TOLD.format(what='n.notice_id', referral=':referral_id')} AND n.agency_id = :agency_id"
)
_TAKE = text(
    f"INSERT INTO {_PLANS} (first_referral_id, second_referral_id, agency_id, planned_at) "
    "VALUES (:first, :second, :agency_id, :now) ON CONFLICT DO NOTHING RETURNING 1"
)


@dataclass(frozen=True, slots=True)
class Beside:
    """A related notice or a recall that is not over."""

    notice_id: str
    referral_id: str
    child_id: str
    agency_id: str
    of_a_link: bool
    in_flight: bool


@dataclass(frozen=True, slots=True)
class Due:
    """A recipient of both of two linked referrals, in the order in which they were linked."""

    referral_id: str
    related_referral_id: str
    relation: Relation
    agency_id: str
    child_ids: Sequence[str]
    """Of the link's first end, each with the one beside it in `related_child_ids`."""
    related_child_ids: Sequence[str]

    @property
    def same(self) -> frozenset[frozenset[str]]:
        """Pairs of children that are one, whichever of the two came first."""
        pairs = zip(self.child_ids, self.related_child_ids, strict=True)
        return frozenset(frozenset(pair) for pair in pairs)


async def link(session: Session, data: ReferralLinked) -> None:
    """Once, whichever way and however often they are linked by hand."""
    values = {"referral_id": data.referral_id, "related": data.related_referral_id}
    values |= {"relation": data.relation.value}
    children = {
        "children": [each.child_id for each in data.same],
        "others": [each.related_child_id for each in data.same],
    }
    await session.execute(_LINK, {**values, **children, "at": data.recorded_at})


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


async def beside(session: Session, referral_id: str) -> list[Beside]:
    """What no version replaces and somebody may still be sent, or open; locked from here."""
    rows = await session.execute(_BESIDE, {"referral_id": referral_id})
    return [Beside(**dict(row)) for row in rows]


async def try_no_more(session: Session, notice_ids: Sequence[str]) -> None:
    """What is in flight ends as it ends, and no attempt follows."""
    await session.execute(_LAST_TRY, {"ids": list(notice_ids)})


async def withdrawn(session: Session, referral_ids: Sequence[str]) -> bool:
    """Whether one of them is. With their deliveries locked, a withdrawal is seen here, or it sees
    what is planned here."""
    return await session.scalar(_IS_WITHDRAWN, {"ids": list(referral_ids)}) is not None


async def take(session: Session, first: str, second: str, agency_id: str, now: datetime) -> bool:
    """Record that it is decided now; False when it was before."""
    values = {"first": first, "second": second, "agency_id": agency_id, "now": now}
    return await session.scalar(_TAKE, values) is not None
