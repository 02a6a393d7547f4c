"""All SQL of looking into a mailbox. Nothing here commits."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from services.notify import models
from services.notify.delivery.channels import channel_of, is_complete
from services.notify.directory import tables as directory_tables
from services.notify.directory.authority import refusal, today
from services.notify.leg_store import IN_CONFLICT, MAY_HOLD
from services.notify.mailbox.shelf import Item, is_there
from services.notify.mailbox.tables import mailbox_items, mailboxes
from shared.runtime.db import Session

_NOTICES = models.notices.fullname
_DELIVERIES = models.deliveries.fullname
_BOXES = mailboxes.fullname
_ITEMS = mailbox_items.fullname
_OVERLAP = timedelta(hours=1)
"""A plan's time is from before its commit: look back farther than any transaction lasts."""
_AT_ONCE = 500
_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)

_ITEM = (
    "n.notice_id, n.referral_id, n.child_id, n.version, n.kind, n.form, n.series, "
    "n.planned_at, d.state, "
    f"({MAY_HOLD}) AS held, {IN_CONFLICT} AS in_conflict, d.acknowledged_at "
    f"FROM {_NOTICES} n JOIN {_DELIVERIES} d USING (notice_id)"
)
_ONE = text(f"SELECT {_ITEM} WHERE n.notice_id = :notice_id AND n.agency_id = :agency_id")
_VERSIONS = text(
    f"SELECT {_ITEM} WHERE n.referral_id = :referral_id AND n.child_id = :child_id "
    "AND n.agency_id = :agency_id ORDER BY n.version, n.revision, n.planned_at, n.notice_id"
)
_AGENCY = (
    "SELECT CASE WHEN NOT closed THEN authority END AS authority, authority_from, "
    "least(authority_to, mou_to) AS authority_to, channel, endpoint, encryption_key, email "
    f"FROM {directory_tables.agencies.fullname} WHERE agency_id = :agency_id"
)
_AGENCY_READ = text(_AGENCY)
_AGENCY_SHARED = text(f"{_AGENCY} FOR SHARE")
_LOCK = text(
    f"SELECT FROM {_DELIVERIES} WHERE notice_id = :notice_id AND agency_id = :agency_id FOR UPDATE"
)
_BOX = text(
    f"INSERT INTO {_BOXES} AS box (agency_id, last, looked_at) "
    f"SELECT agency_id, 0, :beginning FROM {directory_tables.agencies.fullname} "
    "WHERE agency_id = :agency_id ON CONFLICT (agency_id) DO UPDATE SET last = box.last "
    "RETURNING last, looked_at"
)
_NEW = text(
    f"SELECT {_ITEM} WHERE n.agency_id = :agency_id "
    "AND (n.planned_at, n.notice_id) > (:planned_at, :notice_id) "
    f"AND NOT EXISTS (SELECT FROM {_ITEMS} i WHERE i.notice_id = n.notice_id) "
    f"ORDER BY n.planned_at, n.notice_id LIMIT {_AT_ONCE}"
)
_NUMBER = text(
    f"INSERT INTO {_ITEMS} (agency_id, number, notice_id, listed_at) "
    "SELECT :agency_id, :last + place, notice_id, :now "
    "FROM unnest(CAST(:ids AS text[])) WITH ORDINALITY AS found(notice_id, place)"
)
_SET_BOX = text(f"UPDATE {_BOXES} SET last = :last, looked_at = :now WHERE agency_id = :agency_id")
_PAGE = text(
    f"SELECT i.number, {_ITEM} JOIN {_ITEMS} i USING (notice_id) "
    "WHERE i.agency_id = :agency_id AND i.number > :after ORDER BY i.number LIMIT :limit"
)


async def is_lawful(session: Session, agency_id: str, now: datetime, *, hold: bool = False) -> bool:
    """Whether the law permits telling it today. `hold`: nobody changes its record, and nobody
    asserts a conflict of it, until this transaction ends."""
    query = _AGENCY_SHARED if hold else _AGENCY_READ
    row = (await session.execute(query, {"agency_id": agency_id})).first()
    if row is None:
        return False
    reachable = is_complete(channel_of(row.channel), row.endpoint, row.encryption_key, row.email)
    on = today(now)
    return refusal(row.authority, row.authority_from, row.authority_to, reachable, on) is None


async def find(session: Session, agency_id: str, notice_id: str, now: datetime) -> Item | None:
    """The notice, if it is in that agency's mailbox."""
    return await _there(session, agency_id, notice_id, await is_lawful(session, agency_id, now))


async def lock(session: Session, agency_id: str, notice_id: str, now: datetime) -> Item | None:
    """The same, its delivery and the agency's record held, in the order in which claims do it."""
    await session.execute(_LOCK, {"notice_id": notice_id, "agency_id": agency_id})
    lawful = await is_lawful(session, agency_id, now, hold=True)
    return await _there(session, agency_id, notice_id, lawful)


async def _there(session: Session, agency_id: str, notice_id: str, lawful: bool) -> Item | None:
    values = {"notice_id": notice_id, "agency_id": agency_id}
    row = (await session.execute(_ONE, values)).first()
    item = None if row is None else Item(**dict(row))
    return item if item is not None and is_there(item, lawful) else None


async def versions(session: Session, agency_id: str, item: Item, now: datetime) -> list[Item]:
    """All that this agency has of the same child in the same referral, the oldest first."""
    lawful = await is_lawful(session, agency_id, now)
    values = {"referral_id": item.referral_id, "child_id": item.child_id, "agency_id": agency_id}
    found = [Item(**dict(row)) for row in await session.execute(_VERSIONS, values)]
    return [each for each in found if is_there(each, lawful)]


async def number_new(session: Session, agency_id: str, now: datetime) -> None:
    """Give what has come since the next numbers of this mailbox, in the order of planning.

    Numbers are given here and not by plans: those would wait for each other at every mailbox, and
    what commits late would stand before what was listed already.
    """
    values = {"agency_id": agency_id, "beginning": _BEGINNING}
    box = (await session.execute(_BOX, values)).first()
    if box is None:
        return
    lawful = await is_lawful(session, agency_id, now)
    last = await _number(session, agency_id, box.last, box.looked_at - _OVERLAP, lawful, now)
    await session.execute(_SET_BOX, {"agency_id": agency_id, "last": last, "now": now})


async def _number(
    session: Session, agency_id: str, last: int, since: datetime, lawful: bool, now: datetime
) -> int:
    mark: tuple[datetime, str] = since, ""
    while True:
        values = {"agency_id": agency_id, "planned_at": mark[0], "notice_id": mark[1]}
        rows = await session.execute(_NEW, values)
        items = [Item(**dict(row)) for row in rows]
        ids = [each.notice_id for each in items if is_there(each, lawful)]
        if ids:
            numbered = {"agency_id": agency_id, "last": last, "ids": ids, "now": now}
            await session.execute(_NUMBER, numbered)
            last += len(ids)
        if len(items) < _AT_ONCE:
            return last
        mark = items[-1].planned_at, items[-1].notice_id


async def page(
    session: Session, agency_id: str, after: int, limit: int, now: datetime
) -> tuple[list[Item], int, bool]:
    """What is there behind the number `after`, the number to go on behind, and whether there is
    more. Of an agency that nobody knows: nothing."""
    lawful = await is_lawful(session, agency_id, now)
    values = {"agency_id": agency_id, "after": after, "limit": limit + 1}
    rows: Sequence[Any] = await session.execute(_PAGE, values)
    more, rows = len(rows) > limit, rows[:limit]
    items = [Item(**{k: v for k, v in dict(row).items() if k != "number"}) for row in rows]
    cursor = rows[-1].number if rows else after
    return [each for each in items if is_there(each, lawful)], cursor, more
