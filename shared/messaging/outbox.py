"""The outbox: an event is a row inserted through the caller's own session."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import insert, text

from shared.contracts.base import Event, EventData, Source
from shared.messaging.tables import OutboxTables
from shared.runtime.db import Session, wake_after_commit
from shared.runtime.ids import new_event_id

RELAY_WAKE = "relay"


class Outbox:
    """Emits events with the caller's transaction: a rollback drops both, a commit keeps both."""

    def __init__(self, tables: OutboxTables, source: Source) -> None:
        self._tables = tables
        self._source = source
        heads = tables.heads.fullname
        # Locks the head rows in sorted order, so two emitters cannot deadlock.
        self._take = text(
            f"INSERT INTO {heads} AS head (topic, subject, sequence) "
            "SELECT topic, subject, n FROM unnest(CAST(:topics AS text[]), "
            "CAST(:subjects AS text[]), CAST(:counts AS bigint[])) AS taken(topic, subject, n) "
            "ORDER BY topic, subject "
            "ON CONFLICT (topic, subject) DO UPDATE SET sequence = head.sequence + "
            "excluded.sequence RETURNING topic, subject, sequence"
        )

    async def emit(self, session: Session, now: datetime, *events: EventData) -> None:
        """Insert events, numbered without a gap per (topic, subject), in the order given."""
        if not events:
            return
        last = await self._take_sequences(session, events)
        remaining: dict[tuple[str, str], int] = {}
        for data in events:
            remaining[_head(data)] = remaining.get(_head(data), 0) + 1
        rows = []
        for data in events:
            head = _head(data)
            remaining[head] -= 1
            rows.append(self._row(data, now, last[head] - remaining[head]))
        await session.execute(insert(self._tables.outbox), rows)
        wake_after_commit(session, RELAY_WAKE)

    async def _take_sequences(
        self, session: Session, events: Sequence[EventData]
    ) -> dict[tuple[str, str], int]:
        counts: dict[tuple[str, str], int] = {}
        for data in events:
            counts[_head(data)] = counts.get(_head(data), 0) + 1
        heads = sorted(counts)
        taken = await session.execute(
            self._take,
            {
                "topics": [topic for topic, _ in heads],
                "subjects": [subject for _, subject in heads],
                "counts": [counts[head] for head in heads],
            },
        )
        return {(row.topic, row.subject): row.sequence for row in taken}

    def _row(self, data: EventData, now: datetime, sequence: int) -> dict[str, object]:
        event = Event(
            id=new_event_id(),
            source=self._source,
            type=data.type,
            subject=data.subject,
            time=now,
            sequence=sequence,
            data=data.model_dump(mode="json"),
        )
        return {
            "topic": data.topic.value,
            "subject": data.subject,
            "sequence": sequence,
            "event_id": event.id,
            "body": event.model_dump_json().encode(),
        }


def _head(data: EventData) -> tuple[str, str]:
    return data.topic.value, data.subject
