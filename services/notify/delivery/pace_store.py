"""All SQL of limits: whoever claims for a limited agency locks its pace. Nothing here commits.

Locked after the agencies' rows and before the outbox's heads. An agency without a limit has no
row and costs no statement.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text

from services.notify import models
from services.notify.delivery import pace_tables
from services.notify.delivery.pacing import Limit, Pace, after, choose, room
from shared.runtime.db import Session

_PACES = pace_tables.paces.fullname

# The lock and the row in one statement: what another claim has just committed is read.
_LOCK = text(
    f"INSERT INTO {_PACES} AS p (agency_id) SELECT unnest(CAST(:ids AS text[])) "
    "ON CONFLICT (agency_id) DO UPDATE SET turn = p.turn RETURNING agency_id, departures, turn"
)
# A statement after the lock, so that it sees the attempts of whoever held it.
_OPEN = text(
    f"SELECT agency_id, count(*) AS open FROM {models.deliveries.fullname} "
    "WHERE state = 'attempting' AND agency_id = ANY(CAST(:ids AS text[])) GROUP BY agency_id"
)
_KEEP = text(f"UPDATE {_PACES} SET departures = :departures, turn = :turn WHERE agency_id = :id")


def places(agencies: str, now: str = "CAST(:now AS timestamptz)") -> str:
    """An expression: how many of this agency may leave, as far as can be seen without a lock;
    null without a limit. Asked only to look no further than needed: `ration` decides."""
    return (
        f"CASE WHEN {agencies}.max_in_flight IS NOT NULL OR {agencies}.max_per_minute IS NOT NULL "
        f"THEN greatest(0, least({agencies}.max_in_flight - (SELECT count(*) "
        f"FROM {models.deliveries.fullname} o WHERE o.state = 'attempting' "
        f"AND o.agency_id = {agencies}.agency_id), {agencies}.max_per_minute - (SELECT count(*) "
        f"FROM {_PACES} p CROSS JOIN unnest(p.departures) AS left_at "
        f"WHERE p.agency_id = {agencies}.agency_id "
        f"AND left_at > {now} - CAST('1 minute' AS interval) "
        f"AND left_at < {now} + CAST('1 minute' AS interval)))) END"
    )


async def ration(
    session: Session, lawful: Sequence[Any], notices: Mapping[str, Any], now: datetime
) -> tuple[list[Any], list[Any]]:
    """(Those that leave now, those that wait for their agency's limit, as they are.)

    1. Lock the pace of each agency that has a limit, in the order of their ids.
    2. Count its open attempts, of every process.
    3. Choose, and write down what leaves.
    """
    limits = {each.agency_id: _limit(notices[each.notice_id]) for each in lawful}
    limited = sorted(id_ for id_, limit in limits.items() if limit is not None)
    if not limited:
        return list(lawful), []
    rows = await session.execute(_LOCK, {"ids": limited})
    paces = {row.agency_id: Pace(tuple(row.departures), row.turn) for row in rows}
    counted = await session.execute(_OPEN, {"ids": limited})
    open_attempts = {row.agency_id: row.open for row in counted}
    waiting: set[str] = set()
    for id_ in limited:
        limit, pace = limits[id_], paces[id_]
        assert limit is not None
        own = [each for each in lawful if each.agency_id == id_]
        free = room(limit, pace, open_attempts.get(id_, 0), now)
        leaving = own if free is None else choose(own, free, pace.turn)
        waiting |= {each.notice_id for each in own} - {each.notice_id for each in leaving}
        await _keep(session, id_, after(limit, pace, len(leaving), now))
    return (
        [each for each in lawful if each.notice_id not in waiting],
        [each for each in lawful if each.notice_id in waiting],
    )


def _limit(notice: Any) -> Limit | None:
    if notice.max_in_flight is None and notice.max_per_minute is None:
        return None
    return Limit(notice.max_in_flight, notice.max_per_minute)


async def _keep(session: Session, agency_id: str, pace: Pace) -> None:
    await session.execute(
        _KEEP, {"id": agency_id, "departures": list(pace.departures), "turn": pace.turn}
    )
