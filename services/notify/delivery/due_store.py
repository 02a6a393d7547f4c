"""The query for what is due: per agency, up to its free slots, locked, and read with its agency,
whose row is locked too. Nothing here commits."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text

from services.notify import models
from services.notify.controls.tables import halts
from services.notify.delivery.attempts import Attempt
from services.notify.delivery.lanes import Slots
from services.notify.delivery.pace_store import places
from services.notify.delivery.read_store import reading
from services.notify.delivery.retry import TRIP_AFTER
from services.notify.directory import tables as directory_tables
from shared.runtime.db import Session

_DELIVERIES = models.deliveries.fullname
_AGENCIES = directory_tables.agencies.fullname


_DUE_IN = (
    f"SELECT d.notice_id, d.attempts, d.next_attempt_at, "
    f"d.delivered_at IS NOT NULL AND d.unread_since IS NULL AS told FROM {_DELIVERIES} d "
    "WHERE d.agency_id = {agency}.agency_id AND d.state = 'pending' AND d.attempts {lane} "
    "AND d.next_attempt_at <= :now"
)
_LANE = (
    f"SELECT * FROM ({_DUE_IN.replace('{agency}', 'a')} ORDER BY d.next_attempt_at "
    "LIMIT a.{slots} FOR UPDATE SKIP LOCKED) AS {slots}"
)

# Who has something waiting, each found by one step in the lane's index: the cost follows what
# waits, not how many agencies there are.
_WALK = (
    f"{{walk}}(agency_id) AS (SELECT min(agency_id) FROM {_DELIVERIES} "
    "WHERE state = 'pending' AND attempts {lane} UNION ALL "
    f"SELECT (SELECT min(d.agency_id) FROM {_DELIVERIES} d WHERE d.state = 'pending' "
    "AND d.attempts {lane} AND d.agency_id > w.agency_id) FROM {walk} w "
    "WHERE w.agency_id IS NOT NULL)"
)

# The agencies that may be sent to, each with the places of its two lanes, as far as something is
# due (OFFSET 0: looked for by one step in the lane's index, never by reading all that is due): one
# place in all where the breaker is tripped and nothing is in flight to try it; no more than its
# own limit leaves.
_PLACES = (
    "SELECT agency_id, tripped, limited, "
    f"CASE WHEN first > 0 AND EXISTS ({_DUE_IN.format(agency='free', lane='= 0')} OFFSET 0) "
    "THEN first ELSE 0 END "
    "AS first, "
    f"CASE WHEN retry > 0 AND EXISTS ({_DUE_IN.format(agency='free', lane='> 0')} OFFSET 0) "
    "THEN retry ELSE 0 END "
    "AS retry FROM ("
    "SELECT agency_id, tripped, places IS NOT NULL AS limited, "
    "least(places, CASE WHEN tripped THEN idle ELSE greatest(0, :first - busy_first) END) "
    "AS first, "
    "least(places, CASE WHEN tripped THEN idle ELSE greatest(0, :retry - busy_retry) END) "
    "AS retry FROM ("
    "SELECT agency_id, consecutive_failures >= :trip AS tripped, "
    "coalesce(b.first, 0) AS busy_first, coalesce(b.retry, 0) AS busy_retry, "
    "CASE WHEN b.agency_id IS NULL THEN 1 ELSE 0 END AS idle, "
    f"{places('g')} AS places "
    f"FROM {_AGENCIES} g JOIN (SELECT * FROM first_tries UNION SELECT * FROM retries) AS waiting "
    "USING (agency_id) LEFT JOIN unnest(CAST(:busy AS text[]), CAST(:busy_first AS integer[]), "
    "CAST(:busy_retry AS integer[])) AS b(agency_id, first, retry) USING (agency_id) "
    "WHERE (hold_until IS NULL OR hold_until <= :now) AND NOT halted "
    f"AND NOT EXISTS (SELECT FROM {halts.fullname} WHERE agency_id IS NULL AND lifted_at IS NULL)"
    # OFFSET 0: what of its limit is left is counted once, and not wherever it is asked for.
    " OFFSET 0) AS agency OFFSET 0) AS free"
)

# Of a batch each lane has its share; where shares are more than the batch, chance says whose turn
# it is. So a backlog in one lane keeps no other waiting, and a referral's notices leave together:
# what is told of them at one time is taken up as one. A limit of the agency's own is its share.
_SHARES = (
    "SELECT agency_id, tripped, share, "
    "CASE WHEN limited THEN first ELSE least(first, share) END AS first, "
    "CASE WHEN limited THEN retry ELSE least(retry, share) END AS retry FROM ("
    "SELECT *, ceil(CAST(:batch AS numeric) / sum(sign(first) + sign(retry)) OVER ()) AS share "
    "FROM places WHERE first + retry > 0) AS place"
)

_DUE = (
    "SELECT due.notice_id, a.agency_id, due.attempts > 0 AS retry, a.tripped AS probe, "
    "due.told, due.next_attempt_at, a.share, "
    "CASE WHEN due.attempts > 0 THEN a.retry ELSE a.first END AS places "
    f"FROM ({_SHARES} ORDER BY random()) AS a "
    "CROSS JOIN LATERAL (SELECT * FROM ("
    + _LANE.format(lane="= 0", slots="first")
    + " UNION ALL "
    + _LANE.format(lane="> 0", slots="retry")
    + ") AS lanes ORDER BY next_attempt_at LIMIT CASE WHEN a.tripped THEN 1 END) AS due "
    "LIMIT :batch"
)

# Agencies shared, so that claims of one agency do not queue. Whether one is to be probed is asked
# first and of all, so every delivery is locked before the first agency is. FULL, where LEFT would
# do: never as a loop in a loop, however few the planner thinks are due.
_FIND = text(
    "WITH RECURSIVE "
    + _WALK.format(walk="first_tries", lane="= 0")
    + ", "
    + _WALK.format(walk="retries", lane="> 0")
    + f", places AS ({_PLACES}), due AS MATERIALIZED ({_DUE}), read AS MATERIALIZED ("
    + reading(
        f"due CROSS JOIN LATERAL (SELECT * FROM {models.notices.fullname} "
        "WHERE notice_id = due.notice_id OFFSET 0)",
        "(SELECT bool_or(probe) FROM due) IS NOT TRUE",
    )
    + " FOR SHARE OF a) "
    "SELECT *, count(*) OVER (PARTITION BY agency_id, retry) >= places AS full_lane, "
    "places >= share AS cut "
    "FROM due FULL JOIN read USING (notice_id, agency_id) "
    # A referral's side by side: their outcomes are recorded together then, and told as one.
    "ORDER BY retry, next_attempt_at, referral_id"
)


async def lock_due(
    session: Session, slots: Slots, busy: Mapping[str, Slots], batch: int, now: datetime
) -> Sequence[Any]:
    """Rows of (notice_id, agency_id, retry, probe, told: accepted before, full_lane: as many came
    as it has places; cut: its places are its share of the batch), each lane in the order in which
    it waits, first tries first; and of all that `reading` reads, unless one is a probe: then no
    agency is locked, and nothing read. What somebody else holds is skipped."""
    rows = await session.execute(
        _FIND,
        {
            "now": now,
            "trip": TRIP_AFTER,
            "first": slots.first,
            "retry": slots.retry,
            "batch": batch,
            "busy": list(busy),
            "busy_first": [each.first for each in busy.values()],
            "busy_retry": [each.retry for each in busy.values()],
        },
    )
    return rows.all()


def more_due(due: Sequence[Any], attempts: Sequence[Attempt], batch: int) -> bool:
    """Whether another claim may find more. A lane of which every place is an attempt's now is left
    out: its next free place wakes the claim (`Lanes`)."""
    taken = {each.notice_id for each in attempts}
    return len(due) >= batch or any(
        row.full_lane and (row.cut or row.notice_id not in taken) for row in due
    )
