"""How far a service's events have left it: what deadlines asks before it says a clock ran out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from sqlalchemy import text

from shared.contracts.base import OpaqueId, Topic
from shared.messaging.tables import OutboxTables
from shared.runtime.auth import Principal, require
from shared.runtime.db import Database, Session
from shared.runtime.ids import utc_now
from shared.runtime.problem import Problem

SCOPE = "internal:watermark"
_SUBJECTS = 200

_Service = Annotated[Principal, Depends(require(SCOPE))]


class WatermarkOut(BaseModel):
    """No event on the topic older than `oldest_unrelayed_at` (null: than `now`) is missing from
    the bus."""

    oldest_unrelayed_at: datetime | None
    now: datetime
    sequences: dict[str, int]
    """By subject asked for, the last event emitted on the topic; 0 for none. Whoever has folded
    that many is missing nothing that had happened by `now`."""


def watermark_routes(db: Database, tables: OutboxTables, topic: Topic) -> APIRouter:
    """The internal route that answers for one topic of a service's outbox."""
    router = APIRouter(include_in_schema=False)

    @router.get("/internal/v1/watermark")
    async def watermark(
        service: _Service,
        subject: Annotated[list[OpaqueId] | None, Query(max_length=_SUBJECTS)] = None,
    ) -> WatermarkOut:
        """How far the events of the topic have reached the bus; for each `subject` asked about,
        the last event emitted as well."""
        if service.agency is not None:
            raise Problem(403, "Forbidden", "This is for the department's own services.")
        now = utc_now()
        async with db.transaction() as session:
            oldest = await _oldest_unrelayed(session, tables, topic)
            sequences = await _last_sequences(session, tables, topic, subject or [])
        return WatermarkOut(oldest_unrelayed_at=oldest, now=now, sequences=sequences)

    return router


async def _oldest_unrelayed(
    session: Session, tables: OutboxTables, topic: Topic
) -> datetime | None:
    """When the oldest event on the topic was written that the bus has not acknowledged."""
    oldest: datetime | None = await session.scalar(
        text(
            f"SELECT min(created_at) FROM {tables.outbox.fullname} "
            "WHERE sent_at IS NULL AND topic = :topic"
        ),
        {"topic": topic.value},
    )
    return oldest


async def _last_sequences(
    session: Session, tables: OutboxTables, topic: Topic, subjects: Sequence[str]
) -> dict[str, int]:
    if not subjects:
        return {}
    rows = await session.execute(
        text(
            f"SELECT subject, sequence FROM {tables.heads.fullname} "
            "WHERE topic = :topic AND subject = ANY(CAST(:subjects AS text[]))"
        ),
        {"topic": topic.value, "subjects": list(subjects)},
    )
    return dict.fromkeys(subjects, 0) | {row.subject: row.sequence for row in rows}
