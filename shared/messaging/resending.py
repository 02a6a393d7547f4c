"""Sending events from the outbox once more: which they are, never more than was said."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import text

from shared.contracts.base import Topic
from shared.messaging.tables import OutboxTables
from shared.runtime.db import Session

_BATCH = 1000
_CHOSEN = (
    "sent_at IS NOT NULL AND topic = :topic "
    "AND (CAST(:subject AS text) IS NULL OR subject = :subject) "
    "AND (CAST(:since AS timestamptz) IS NULL OR created_at >= :since) "
    "AND (CAST(:through AS bigint) IS NULL OR id <= :through)"
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Events of a topic; None leaves that bound open."""

    topic: Topic
    subject: str | None
    since: datetime | None
    through: int | None

    def values(self) -> dict[str, Any]:
        return {
            "topic": self.topic.value,
            "subject": self.subject,
            "since": self.since,
            "through": self.through,
        }


async def bounded(session: Session, tables: OutboxTables, chosen: Chosen) -> tuple[Chosen, int]:
    """The same with its last event named, so that none joins it later; and how many they are."""
    query = text(
        f"SELECT count(*) AS number, max(id) AS last FROM {tables.outbox.fullname} WHERE {_CHOSEN}"
    )
    row = (await session.execute(query, chosen.values())).one()
    return replace(chosen, through=row.last or chosen.through or 0), row.number


async def some(session: Session, tables: OutboxTables, chosen: Chosen, after: int) -> list[int]:
    """Mark some of them to be sent again. Their ids, rising; none: it is done."""
    outbox = tables.outbox.fullname
    select = text(
        f"SELECT id FROM {outbox} WHERE id > :after AND {_CHOSEN} ORDER BY id LIMIT {_BATCH}"
    )
    ids = list((await session.execute(select, chosen.values() | {"after": after})).scalars())
    if ids:
        again = text(f"UPDATE {outbox} SET sent_at = NULL WHERE id = ANY(:ids)")
        await session.execute(again, {"ids": ids})
    return ids
