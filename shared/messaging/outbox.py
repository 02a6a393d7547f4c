"""The outbox: an event is a row inserted through the caller's own session."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from pydantic_core import to_json
from sqlalchemy import text

from shared.contracts.base import EventData, Source, Topic
from shared.messaging.numbering import still_to_come
from shared.messaging.tables import OutboxTables
from shared.messaging.telling import further_events
from shared.runtime import tracing
from shared.runtime.db import Session, wake_after_commit
from shared.runtime.ids import new_event_id

RELAY_WAKE, RELAY_VACANT = RELAY_WAKES = ("relay", "relay.vacant")
"""There is something to relay; nobody leads the relay any more."""
UNHURRIED = frozenset({Topic.NOTICES, Topic.DISCLOSURES})
"""Tell deadlines and audit, which read at a pace of their own, of what has happened already."""
UNHURRIED_SECONDS = 0.25


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
        heads = [(data.topic.value, data.subject) for data in events]
        numbers, to_come = still_to_come(heads)
        ids = [new_event_id() for _ in events]
        if events:
            unhurried = all(data.topic in UNHURRIED for data in events)
            wake_after_commit(session, RELAY_WAKE, UNHURRIED_SECONDS if unhurried else 0.0)
        return {
            "event_head_topics": [topic for topic, _ in numbers],
            "event_head_subjects": [subject for _, subject in numbers],
            "event_head_numbers": list(numbers.values()),
            "event_topics": [topic for topic, _ in heads],
            "event_subjects": [subject for _, subject in heads],
            "events_to_come": to_come,
            "event_ids": ids,
            "event_bodies": self._open_bodies(events, ids, now),
        }

    def each(self, told: Mapping[str, EventData], now: datetime) -> dict[str, object]:
        """The values for `chosen_events`: each event under the key of what it tells of."""
        events = list(told.values())
        ids = [new_event_id() for _ in events]
        return {
            "event_keys": list(told),
            "event_topics": [data.topic.value for data in events],
            "event_subjects": [data.subject for data in events],
            "event_ids": ids,
            "event_bodies": self._open_bodies(events, ids, now),
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

    def _open_bodies(
        self, events: Sequence[EventData], ids: Sequence[str], now: datetime
    ) -> list[bytes]:
        return [self._open_body(data, id_, now) for data, id_ in zip(events, ids, strict=True)]

    def _open_body(self, data: EventData, event_id: str, now: datetime) -> bytes:
        """The CloudEvent without its `sequence` and its closing brace."""
        envelope: dict[str, object] = {
            "specversion": "1.0",
            "id": event_id,
            "source": self._source,
            "type": data.type,
            "subject": data.subject,
            "time": now.astimezone(UTC),
            "datacontenttype": "application/json",
        }
        if tracing.on() and (traceparent := tracing.parent_of(data.subject)):
            envelope["traceparent"] = traceparent
        return to_json(envelope | {"data": data})[:-1]
