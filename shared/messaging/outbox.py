"""The outbox: an event is a row inserted through the caller's own session."""

import json
from collections import Counter
from collections.abc import Mapping
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
UNHURRIED_SECONDS = 0.1


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


def events_of(tables: OutboxTables, made: str) -> str:
    """The end of a statement that makes several things and tells of each: an event for each key
    that `made` selects. The values are `Outbox.each`'s; wake RELAY_WAKE after the commit."""
    return (
        "event AS (SELECT *, row_number() OVER (PARTITION BY topic, subject ORDER BY ordinality) "
        "AS place FROM unnest(CAST(:event_keys AS text[]), CAST(:event_topics AS text[]), "
        "CAST(:event_subjects AS text[]), CAST(:event_ids AS text[]), "
        "CAST(:event_bodies AS bytea[])) WITH ORDINALITY "
        f"AS e(key, topic, subject, event_id, body, ordinality) WHERE key IN ({made})), "
        + _numbering(tables)
    )


def _numbering(tables: OutboxTables) -> str:
    """1. Lock and move the heads, in sorted order, so that two emitters cannot deadlock.
    2. Number the CTE `event` from there, and close each envelope with its number.
    """
    return (
        "wanted AS (SELECT topic, subject, max(place) AS n FROM event GROUP BY 1, 2), "
        f"taken AS (INSERT INTO {tables.heads.fullname} AS head (topic, subject, sequence) "
        "SELECT topic, subject, n FROM wanted ORDER BY topic, subject "
        "ON CONFLICT (topic, subject) DO UPDATE SET "
        "sequence = head.sequence + excluded.sequence RETURNING topic, subject, sequence), "
        "numbered AS (SELECT e.*, t.sequence - w.n + e.place AS sequence FROM event e "
        "JOIN wanted w USING (topic, subject) JOIN taken t USING (topic, subject)) "
        f"INSERT INTO {tables.outbox.fullname} (topic, subject, sequence, event_id, body) "
        "SELECT topic, subject, sequence, event_id, body || "
        "convert_to(',\"sequence\":' || sequence || '}', 'UTF8') "
        "FROM numbered ORDER BY ordinality"
    )


class Outbox:
    """Emits events with the caller's transaction: a rollback drops both, a commit keeps both."""

    def __init__(self, tables: OutboxTables, source: Source) -> None:
        self._source = source
        self._emit = text(
            "WITH event AS (SELECT * FROM unnest(CAST(:topics AS text[]), "
            "CAST(:subjects AS text[]), CAST(:places AS bigint[]), CAST(:ids AS text[]), "
            "CAST(:bodies AS bytea[])) WITH ORDINALITY "
            "AS e(topic, subject, place, event_id, body, ordinality)), " + _numbering(tables)
        )

    async def emit(self, session: Session, now: datetime, *events: EventData) -> None:
        """Insert events, numbered without a gap per (topic, subject), in the order given."""
        if not events:
            return
        ids = [new_event_id() for _ in events]
        places: Counter[tuple[str, str]] = Counter()
        columns: dict[str, list[object]] = {"topics": [], "subjects": [], "places": []}
        for data in events:
            head = data.topic.value, data.subject
            places[head] += 1
            columns["topics"].append(head[0])
            columns["subjects"].append(head[1])
            columns["places"].append(places[head])
        bodies = [self._open_body(data, id_, now) for data, id_ in zip(events, ids, strict=True)]
        await session.execute(self._emit, columns | {"ids": ids, "bodies": bodies})
        unhurried = all(data.topic in _UNHURRIED for data in events)
        wake_after_commit(session, RELAY_WAKE, UNHURRIED_SECONDS if unhurried else 0.0)

    def each(self, told: Mapping[str, EventData], now: datetime) -> dict[str, object]:
        """The values for `events_of`: each event under the key of what it tells of."""
        ids = [new_event_id() for _ in told]
        events = list(zip(told.values(), ids, strict=True))
        return {
            "event_keys": list(told),
            "event_topics": [data.topic.value for data, _ in events],
            "event_subjects": [data.subject for data, _ in events],
            "event_ids": ids,
            "event_bodies": [self._open_body(data, id_, now) for data, id_ in events],
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
