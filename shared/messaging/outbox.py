"""The outbox: an event is a row inserted through the caller's own session."""

import json
from collections import Counter
from datetime import UTC, datetime

from sqlalchemy import text

from shared.contracts.base import EventData, Source, Topic
from shared.messaging.tables import OutboxTables
from shared.runtime import tracing
from shared.runtime.db import Session, wake_after_commit
from shared.runtime.ids import new_event_id

RELAY_WAKE, RELAY_VACANT = RELAY_WAKES = ("relay", "relay.vacant")
"""There is something to relay; nobody leads the relay any more."""
_UNHURRIED = frozenset({Topic.NOTICES, Topic.DISCLOSURES})
"""Tell deadlines and audit, which read at a pace of their own, of what has happened already."""
_UNHURRIED_SECONDS = 0.1


def first_event(tables: OutboxTables, made: str) -> str:
    """CTEs for a statement that makes a subject and tells of it: its first event, if the CTE
    `made` has a row. The values are `Outbox.first`'s; wake RELAY_WAKE after the commit."""
    return f"""
event_head AS (
    INSERT INTO {tables.heads.fullname} (topic, subject, sequence)
    SELECT CAST(:event_topic AS text), CAST(:event_subject AS text), 1 FROM {made}
), event AS (
    INSERT INTO {tables.outbox.fullname} (topic, subject, sequence, event_id, body)
    SELECT CAST(:event_topic AS text), CAST(:event_subject AS text), 1, CAST(:event_id AS text),
        CAST(:event_body AS bytea)
    FROM {made}
)"""


def further_events(tables: OutboxTables, given: str = "true") -> str:
    """CTEs for a statement that changes something and tells of it: events in the order given,
    numbered without a gap per (topic, subject), if the condition `given` holds. The values are
    `Outbox.further`'s.

    1. Lock and move the heads, in sorted order, so that two emitters cannot deadlock.
    2. Number the events from there, and close each envelope with its number.
    """
    return f"""
event AS (
    SELECT * FROM unnest(CAST(:event_topics AS text[]), CAST(:event_subjects AS text[]),
        CAST(:event_places AS bigint[]), CAST(:event_ids AS text[]), CAST(:event_bodies AS bytea[]))
        WITH ORDINALITY AS e(topic, subject, place, event_id, body, ordinality)
    WHERE {given}
), event_wanted AS (
    SELECT topic, subject, max(place) AS n FROM event GROUP BY 1, 2
), event_head AS (
    INSERT INTO {tables.heads.fullname} AS head (topic, subject, sequence)
    SELECT topic, subject, n FROM event_wanted ORDER BY topic, subject
    ON CONFLICT (topic, subject) DO UPDATE SET sequence = head.sequence + excluded.sequence
    RETURNING topic, subject, sequence
), event_numbered AS (
    SELECT e.*, h.sequence - w.n + e.place AS sequence
    FROM event e JOIN event_wanted w USING (topic, subject) JOIN event_head h USING (topic, subject)
), event_told AS (
    INSERT INTO {tables.outbox.fullname} (topic, subject, sequence, event_id, body)
    SELECT topic, subject, sequence, event_id,
        body || convert_to(',"sequence":' || sequence || '}}', 'UTF8')
    FROM event_numbered ORDER BY ordinality
)"""


class Outbox:
    """Emits events with the caller's transaction: a rollback drops both, a commit keeps both."""

    def __init__(self, tables: OutboxTables, source: Source) -> None:
        self._source = source
        self._emit = text(f"WITH {further_events(tables)} SELECT WHERE false")

    async def emit(self, session: Session, now: datetime, *events: EventData) -> None:
        """Insert events, numbered without a gap per (topic, subject), in the order given."""
        if events:
            await session.execute(self._emit, self.further(session, now, *events))

    def further(self, session: Session, now: datetime, *events: EventData) -> dict[str, object]:
        """The values for `further_events`. Wakes the relay after the commit."""
        ids = [new_event_id() for _ in events]
        topics = [data.topic.value for data in events]
        subjects = [data.subject for data in events]
        places: list[int] = []
        counted: Counter[tuple[str, str]] = Counter()
        for head in zip(topics, subjects, strict=True):
            counted[head] += 1
            places.append(counted[head])
        unhurried = all(data.topic in _UNHURRIED for data in events)
        wake_after_commit(session, RELAY_WAKE, _UNHURRIED_SECONDS if unhurried else 0.0)
        return {
            "event_topics": topics,
            "event_subjects": subjects,
            "event_places": places,
            "event_ids": ids,
            "event_bodies": [
                self._open_body(data, id_, now) for data, id_ in zip(events, ids, strict=True)
            ],
        }

    def first(self, data: EventData, now: datetime) -> dict[str, object]:
        """The values for `first_event`: of a subject of which nothing was ever told."""
        id_ = new_event_id()
        return {
            "event_topic": data.topic.value,
            "event_subject": data.subject,
            "event_id": id_,
            "event_body": self._open_body(data, id_, now) + b',"sequence":1}',
        }

    def _open_body(self, data: EventData, event_id: str, now: datetime) -> bytes:
        """The CloudEvent without its `sequence` and its closing brace."""
        envelope = {
            "specversion": "1.0",
            "id": event_id,
            "source": self._source.value,
            "type": data.type,
            "subject": data.subject,
            "time": now.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "datacontenttype": "application/json",
        }
        if tracing.on() and (traceparent := tracing.parent_of(data.subject)):
            envelope["traceparent"] = traceparent
        head = json.dumps(envelope, separators=(",", ":"))
        return f'{head[:-1]},"data":{data.model_dump_json()}'.encode()
