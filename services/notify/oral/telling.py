"""Recording that a recipient was told by word of mouth (C32). Nothing here commits.

The record is of what has happened, so it is never refused; what should not have happened is a
task.
"""

import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from services.notify import models
from services.notify.conflicts.store import hold_agencies
from services.notify.directory import tables as directory_tables
from services.notify.leg_store import IN_CONFLICT
from services.notify.mailbox import events
from services.notify.mailbox.store import is_lawful
from services.notify.measuring import count_notice
from services.notify.oral.calls import told_in_conflict
from services.notify.oral.tables import tellings
from services.notify.planning import history_store as store
from services.notify.tasks import store as task_store
from shared.messaging.outbox import Outbox
from shared.runtime.db import Session
from shared.runtime.ids import new_id
from shared.runtime.sealing import Sealer

_DELIVERIES = models.deliveries.fullname
_DISCLOSURES = models.disclosures.fullname


@dataclass(frozen=True, slots=True)
class Call:
    """One call, as the person who made it says. `told_to` is kept sealed."""

    notice_id: str
    told_by: str
    told_at: datetime
    told_to: str


@dataclass(frozen=True, slots=True)
class Told:
    disclosure_id: str
    notice_id: str
    told_at: datetime
    recorded_at: datetime


_LOCK = text(f"SELECT FROM {_DELIVERIES} WHERE notice_id = :notice_id FOR UPDATE")
_KNOWN = text(
    f"SELECT disclosure_id, notice_id, told_at, recorded_at FROM {tellings.fullname} "
    "WHERE notice_id = :notice_id AND told_at = :told_at"
)
_RECORD = text(
    f"WITH recorded AS (INSERT INTO {_DISCLOSURES} "
    "(disclosure_id, notice_id, agency_id, attempted_at, channel) "
    "VALUES (:id, :notice_id, :agency_id, :told_at, 'oral') RETURNING disclosure_id) "
    f"INSERT INTO {tellings.fullname} "
    "(disclosure_id, notice_id, agency_id, told_by, told_at, recorded_at, sealed) "
    "SELECT disclosure_id, :notice_id, :agency_id, :told_by, :told_at, :now, :sealed FROM recorded"
)
# It ends what only a call could end. Where a channel is on file the notice goes out all the same.
_TOLD = text(
    f"UPDATE {_DELIVERIES} d SET opened_at = least(d.opened_at, :told_at), unread_since = NULL, "
    "state = CASE WHEN n.over THEN 'delivered' ELSE d.state END, "
    "next_attempt_at = CASE WHEN NOT n.over THEN d.next_attempt_at END, "
    "delivered_at = CASE WHEN n.over THEN CAST(:told_at AS timestamptz) ELSE d.delivered_at END, "
    "ended_at = CASE WHEN n.over THEN CAST(:now AS timestamptz) ELSE d.ended_at END "
    "FROM (SELECT x.notice_id, x.opened_at IS NULL AS first, "
    "x.state IN ('pending', 'blocked') AND a.channel = 'oral' AS over "
    f"FROM {_DELIVERIES} x JOIN {directory_tables.agencies.fullname} a USING (agency_id) "
    "WHERE x.notice_id = :notice_id) AS n WHERE d.notice_id = n.notice_id RETURNING n.first"
)
_CONFLICTED = text(
    f"SELECT {IN_CONFLICT} FROM {models.notices.fullname} n WHERE n.notice_id = :notice_id"
)


async def record(
    session: Session, sealer: Sealer, outbox: Outbox, call: Call, now: datetime
) -> Told | None:
    """The call on record; the same call again: the same answer. None: there is no such notice."""
    await session.execute(_LOCK, {"notice_id": call.notice_id})
    notice = await events.notice(session, call.notice_id)
    if notice is None:
        return None
    known = {"notice_id": call.notice_id, "told_at": call.told_at}
    if (row := (await session.execute(_KNOWN, known)).first()) is not None:
        return Told(**dict(row))
    await hold_agencies(session, [notice.agency_id])
    told = Told(new_id("dsc"), call.notice_id, call.told_at, now)
    keys = await store.child_keys(session, [notice.child_id])
    said = json.dumps({"told_to": call.told_to}, ensure_ascii=False).encode()
    sealed = sealer.seal(keys[notice.child_id], tellings.name, told.disclosure_id, said)
    values = {
        "id": told.disclosure_id,
        "agency_id": notice.agency_id,
        "told_by": call.told_by,
        "now": now,
        "sealed": sealed,
    }
    await session.execute(_RECORD, known | values)
    if await session.scalar(_TOLD, known | {"now": now}):
        count_notice(session, "opened", notice.agency_kind)
    unlawful = await session.scalar(_CONFLICTED, {"notice_id": call.notice_id})
    if unlawful or not await is_lawful(session, notice.agency_id, now):
        task = told_in_conflict(notice.referral_id, call.notice_id, notice.agency_id)
        await task_store.file_tasks(session, [task], now)
    said_to_all = events.told_orally(notice, told.disclosure_id, call.told_by, call.told_at, now)
    await outbox.emit(session, now, *said_to_all)
    return told
