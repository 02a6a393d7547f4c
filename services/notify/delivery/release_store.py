"""All SQL of what waits for other notices of its recipient to be over. Nothing here commits."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text

from services.notify import models
from services.notify.delivery.attempts import DELIVER_WAKE
from services.notify.delivery.held import with_content
from services.notify.planning.plan import WITHDRAWAL
from shared.runtime.db import Session, wake_after_commit

_DELIVERIES = models.deliveries.fullname
_AT_ONCE = 256

_SAME_LEG = (
    "{o}.referral_id = b.referral_id AND {o}.child_id = b.child_id AND {o}.agency_id = b.agency_id"
)
_IN_THE_WAY = (
    f"EXISTS (SELECT FROM {_DELIVERIES} o WHERE {_SAME_LEG.format(o='o')} "
    "AND o.notice_id <> b.notice_id AND (o.series = b.series AND o.state = 'attempting' "
    f"OR b.series = '{WITHDRAWAL}' AND o.state IN ('pending', 'blocked', 'attempting')))"
)
_BLOCKED = text(
    f"SELECT notice_id FROM {_DELIVERIES} b WHERE state = 'blocked' AND NOT {_IN_THE_WAY} "
    f"ORDER BY version, notice_id LIMIT {_AT_ONCE} FOR UPDATE SKIP LOCKED"
)
_UNBLOCK = text(
    f"UPDATE {_DELIVERIES} SET state = 'pending', next_attempt_at = :now "
    "WHERE notice_id IN (SELECT DISTINCT ON (b.referral_id, b.child_id, b.agency_id, b.series) "
    f"b.notice_id FROM {_DELIVERIES} e JOIN {_DELIVERIES} b "
    "USING (referral_id, child_id, agency_id) "
    f"WHERE e.notice_id = ANY(:ids) AND b.state = 'blocked' AND NOT {_IN_THE_WAY} "
    "ORDER BY b.referral_id, b.child_id, b.agency_id, b.series, b.version)"
)
_END_NEEDLESS = text(
    f"UPDATE {_DELIVERIES} b SET state = 'superseded', ended_at = :now "
    f"FROM {models.notices.fullname} n "
    "WHERE n.notice_id = b.notice_id AND n.kind IN ('supersession', 'withdrawal') "
    f"AND b.state = 'blocked' AND NOT {_IN_THE_WAY} "
    f"AND EXISTS (SELECT FROM {_DELIVERIES} e WHERE e.notice_id = ANY(:ids) "
    f"AND {_SAME_LEG.format(o='e')}) "
    f"AND NOT EXISTS (SELECT FROM {models.disclosures.fullname} a "
    f"JOIN {_DELIVERIES} h USING (notice_id) WHERE {with_content('a')} "
    f"AND {_SAME_LEG.format(o='h')} AND (h.series = b.series OR b.series = '{WITHDRAWAL}') "
    f"AND NOT EXISTS (SELECT FROM {models.disclosure_outcomes.fullname} f "
    "WHERE f.disclosure_id = a.disclosure_id AND f.outcome = 'failed')) "
    f"AND NOT (b.series = '{WITHDRAWAL}' AND EXISTS (SELECT FROM {_DELIVERIES} u "
    f"JOIN {models.notices.fullname} m USING (notice_id) WHERE {_SAME_LEG.format(o='u')} "
    "AND u.state = 'delivered' AND m.kind NOT IN ('supersession', 'withdrawal', 'recall')))"
)


async def unblock(session: Session, notice_ids: Sequence[str], now: datetime) -> None:
    """The lowest version of each series that waits for one of these, unless another attempt of
    that series is still open. A withdrawal waits until all of its recipient's others are over.

    What is only for whoever may hold something ends here when nothing can have reached it: it is
    off the route, or has no original to take back, and is told nothing (P3, P4). An original that
    lies unread in its mailbox can be taken back.
    """
    await session.execute(_END_NEEDLESS, {"ids": list(notice_ids), "now": now})
    await session.execute(_UNBLOCK, {"ids": list(notice_ids), "now": now})
    wake_after_commit(session, DELIVER_WAKE)


async def release(session: Session, now: datetime) -> int:
    """Let go what waits for nothing any more, whatever ended it; how many were looked at.

    The end of an attempt lets go the next version at once; a withdrawal also waits for notices
    that end otherwise: refused, or closed by a person.
    """
    waiting: list[str] = await session.scalars(_BLOCKED)
    if waiting:
        await unblock(session, waiting, now)
    return len(waiting)
