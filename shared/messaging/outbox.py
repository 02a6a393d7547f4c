"""The outbox: an event is a row inserted through the caller's own session."""

import json
from datetime import UTC, datetime

from sqlalchemy import text

from shared.contracts.base import EventData, Source, Topic
from shared.messaging.numbering import still_to_come
from shared.messaging.tables import OutboxTables
from shared.runtime import tracing
from shared.runtime.db import Session, wake_after_commit
from shared.runtime.ids import new_event_id

RELAY_WAKE, RELAY_VACANT = RELAY_WAKES = ("relay", "relay.vacant")
"""There is something to relay; nobody leads the relay any more."""
UNHURRIED = frozenset({Topic.NOTICES, Topic.DISCLOSURES})
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


class Outbox:
    """Emits events with the caller's transaction: a rollback drops both, a commit keeps both."""

    def __init__(self, tables: OutboxTables, source: Source) -> None:
        self._source = source
        # 1. Lock and move the heads, in sorted order, so that two emitters cannot deadlock.
        # 2. Number the events from there, and close each envelope with its number.
        self._emit = text(
            f"WITH taken AS (INSERT INTO {tables.heads.fullname} AS head (topic, subject, sequence)"
            " SELECT * FROM unnest(CAST(:head_topics AS text[]), CAST(:head_subjects AS text[]), "
            "CAST(:numbers AS bigint[])) AS wanted(topic, subject, n) ORDER BY topic, subject "
            "ON CONFLICT (topic, subject) DO UPDATE SET "
            "sequence = head.sequence + excluded.sequence RETURNING topic, subject, sequence), "
            "event AS (SELECT topic, subject, sequence - to_come AS sequence, event_id, "
            "body, ordinality FROM unnest(CAST(:topics AS text[]), CAST(:subjects AS text[]), "
            "CAST(:to_come AS bigint[]), CAST(:ids AS text[]), CAST(:bodies AS bytea[])) "
            "WITH ORDINALITY AS e(topic, subject, to_come, event_id, body, ordinality) "
            "JOIN taken USING (topic, subject)) "
            f"INSERT INTO {tables.outbox.fullname} (topic, subject, sequence, event_id, body) "
            "SELECT topic, subject, sequence, event_id, body || "
            "convert_to(',\"sequence\":' || sequence || '}', 'UTF8') "
            "FROM event ORDER BY ordinality"
        )

    async def emit(self, session: Session, now: datetime, *events: EventData) -> None:
        """Insert events, numbered without a gap per (topic, subject), in the order given."""
        if not events:
            return
        heads = [(data.topic.value, data.subject) for data in events]
        numbers, to_come = still_to_come(heads)
        ids = [new_event_id() for _ in events]
        values: dict[str, object] = {
            "head_topics": [topic for topic, _ in numbers],
            "head_subjects": [subject for _, subject in numbers],
            "numbers": list(numbers.values()),
            "topics": [topic for topic, _ in heads],
            "subjects": [subject for _, subject in heads],
            "to_come": to_come,
            "ids": ids,
            "bodies": [
                self._open_body(data, id_, now) for data, id_ in zip(events, ids, strict=True)
            ],
        }
        await session.execute(self._emit, values)
        unhurried = all(data.topic in UNHURRIED for data in events)
        wake_after_commit(session, RELAY_WAKE, _UNHURRIED_SECONDS if unhurried else 0.0)

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
