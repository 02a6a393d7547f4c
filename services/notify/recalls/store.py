"""All SQL of recalls and closings. Nothing here commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from services.notify import models
from services.notify.leg_store import MAY_HOLD
from services.notify.recalls import tables as recall_tables
from shared.runtime.db import Session

_RECALLS = recall_tables.recalls.fullname
_CLOSINGS = recall_tables.closings.fullname
_DELIVERIES = models.deliveries.fullname

_REFERRAL = text(f"SELECT referral_id FROM {models.notices.fullname} WHERE notice_id = :notice_id")
_READ_RECALL = text(
    "SELECT n.notice_id, n.recall_notice_id, n.reason, n.recalled_by, n.recalled_at, "
    f"({MAY_HOLD}) AS disclosed FROM {_RECALLS} n WHERE n.notice_id = :notice_id"
)
_READ_CLOSING = text(
    f"SELECT notice_id, reason, closed_by, closed_at FROM {_CLOSINGS} WHERE notice_id = :notice_id"
)
_RECALL = text(
    f"INSERT INTO {_RECALLS} (notice_id, recall_notice_id, reason, recalled_by, recalled_at) "
    "VALUES (:notice_id, :recall_notice_id, :reason, :recalled_by, :recalled_at)"
)
_CLOSE = text(
    f"INSERT INTO {_CLOSINGS} (notice_id, reason, closed_by, closed_at) "
    "SELECT n, :reason, :closed_by, :closed_at FROM unnest(CAST(:notice_ids AS text[])) AS c(n)"
)
_END = text(
    f"UPDATE {_DELIVERIES} SET state = 'closed', next_attempt_at = NULL, ended_at = :now "
    "WHERE notice_id = ANY(CAST(:ids AS text[]))"
)


@dataclass(frozen=True, slots=True)
class RecallRow:
    notice_id: str
    recall_notice_id: str | None
    reason: str
    recalled_by: str
    recalled_at: datetime
    disclosed: bool


@dataclass(frozen=True, slots=True)
class ClosingRow:
    notice_id: str
    reason: str
    closed_by: str
    closed_at: datetime


async def referral_of(session: Session, notice_id: str) -> str | None:
    found: str | None = await session.scalar(_REFERRAL, {"notice_id": notice_id})
    return found


async def read_recall(session: Session, notice_id: str) -> RecallRow | None:
    row = (await session.execute(_READ_RECALL, {"notice_id": notice_id})).first()
    return None if row is None else RecallRow(**dict(row))


async def read_closing(session: Session, notice_id: str) -> ClosingRow | None:
    row = (await session.execute(_READ_CLOSING, {"notice_id": notice_id})).first()
    return None if row is None else ClosingRow(**dict(row))


async def insert_recall(session: Session, row: RecallRow) -> None:
    columns = (name for name in RecallRow.__slots__ if name != "disclosed")
    await session.execute(_RECALL, {name: getattr(row, name) for name in columns})


async def insert_closings(
    session: Session, notice_ids: Sequence[str], reason: str, person: str, now: datetime
) -> None:
    values = {"notice_ids": list(notice_ids), "reason": reason, "closed_by": person}
    await session.execute(_CLOSE, values | {"closed_at": now})


async def end(session: Session, notice_ids: Sequence[str], now: datetime) -> None:
    """They are locked already. When each was first delivered stays on record."""
    await session.execute(_END, {"ids": list(notice_ids), "now": now})
