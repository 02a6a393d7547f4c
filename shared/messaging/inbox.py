"""The inbox: every event once, by (topic, source, subject, sequence). All SQL of receiving."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from pydantic import ValidationError
from sqlalchemy import text

from shared.contracts.base import Event, Topic
from shared.contracts.registry import EMITTERS
from shared.messaging.bus import Batch, Incoming, Positions
from shared.messaging.quarantined import FORK
from shared.messaging.retention import RETENTION
from shared.messaging.tables import InboxTables
from shared.runtime.db import Session

_KEPT_SURELY = RETENTION - timedelta(days=1)
"""An event emitted since cannot have been received, handled and pruned; a day for clocks."""


@dataclass(frozen=True, slots=True)
class Readable:
    """A record that is an event of ours."""

    record: Incoming
    event: Event

    @property
    def key(self) -> tuple[str, str, str, int]:
        event = self.event
        return self.record.topic, event.source.value, event.subject, event.sequence


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that is not, and why. Its content is not repeated: it may be anything."""

    record: Incoming
    reason: str


@dataclass(frozen=True, slots=True)
class Received:
    """What became of a batch."""

    new: int
    duplicates: int
    quarantined: int
    parked: Sequence[str] = ()
    """The topic of each event that is a fork, and has parked its subject."""


def read(record: Incoming) -> Readable | Unreadable:
    """Parse the envelope. The data is parsed by the worker, where failing holds up one subject."""
    if record.body is None:
        return Unreadable(record, record.damage or "empty")
    try:
        event = Event.model_validate_json(record.body)
        known = event.source in EMITTERS[Topic(record.topic)]
    except ValidationError:
        return Unreadable(record, "not_an_event")
    return Readable(record, event) if known else Unreadable(record, "unexpected_source")


class Inbox:
    """Receives batches into one service's tables."""

    def __init__(self, tables: InboxTables) -> None:
        self._inbox = tables.inbox.fullname
        self._streams = tables.streams.fullname
        self._cursors = tables.cursors.fullname
        self._quarantine = tables.quarantine.fullname

    async def positions(self, session: Session) -> dict[tuple[str, int], int]:
        rows = await session.execute(
            text(f'SELECT topic, "partition", next_offset FROM {self._cursors}')
        )
        return {(row.topic, row.partition): row.next_offset for row in rows}

    async def receive(self, session: Session, batch: Batch) -> Received:
        """Insert what is new, quarantine what cannot be read, move the cursors.

        1. Rows go in sorted by key, so two consumers cannot deadlock.
        2. A row at or below its stream's cursor was handled, perhaps pruned: a duplicate.
        3. The same key with another event id is a fork of its source: kept and parked. So is an
           event for a key whose row was pruned, if it is younger than whatever was pruned.
        """
        read_records = [read(record) for record in batch.records]
        readable = sorted(
            (each for each in read_records if isinstance(each, Readable)), key=lambda r: r.key
        )
        unreadable = [each for each in read_records if isinstance(each, Unreadable)]
        new_ids = await self._insert(session, readable)
        rest = [each for each in readable if each.event.id not in new_ids]
        forks = await self._forks(session, rest) if rest else []
        await self._touch_streams(session, [each for each in readable if each.event.id in new_ids])
        await self._park_forks(session, forks)
        await self._put_in_quarantine(session, unreadable, forks)
        await self._move_cursors(session, batch.next_offsets)
        topics = [each.record.topic for each in forks]
        return Received(len(new_ids), len(rest) - len(forks), len(unreadable) + len(forks), topics)

    async def _insert(self, session: Session, events: Sequence[Readable]) -> set[str]:
        if not events:
            return set()
        rows = await session.execute(
            text(
                f"INSERT INTO {self._inbox} (topic, source, subject, sequence, event_id, body) "
                "SELECT n.topic, n.source, n.subject, n.sequence, n.event_id, n.body "
                "FROM unnest(CAST(:topics AS text[]), CAST(:sources AS text[]), "
                "CAST(:subjects AS text[]), CAST(:sequences AS bigint[]), "
                "CAST(:ids AS text[]), CAST(:bodies AS bytea[])) "
                "AS n(topic, source, subject, sequence, event_id, body) "
                f"LEFT JOIN {self._streams} s ON s.topic = n.topic AND s.source = n.source "
                "AND s.subject = n.subject WHERE n.sequence > coalesce(s.cursor, 0) "
                "ORDER BY n.topic, n.source, n.subject, n.sequence "
                "ON CONFLICT DO NOTHING RETURNING event_id"
            ),
            _columns(events) | {"bodies": [each.record.body for each in events]},
        )
        return set(rows.scalars())

    async def _forks(self, session: Session, rest: Sequence[Readable]) -> list[Readable]:
        rows = await session.execute(
            text(
                "SELECT n.event_id FROM unnest(CAST(:topics AS text[]), CAST(:sources AS text[]), "
                "CAST(:subjects AS text[]), CAST(:sequences AS bigint[]), CAST(:ids AS text[]), "
                "CAST(:times AS timestamptz[])) "
                "AS n(topic, source, subject, sequence, event_id, emitted_at) "
                f"LEFT JOIN {self._inbox} i ON i.topic = n.topic AND i.source = n.source "
                "AND i.subject = n.subject AND i.sequence = n.sequence "
                "WHERE i.event_id <> n.event_id OR (i.event_id IS NULL "
                "AND n.emitted_at > clock_timestamp() - CAST(:kept AS interval))"
            ),
            _columns(rest) | {"times": [each.event.time for each in rest], "kept": _KEPT_SURELY},
        )
        ids = set(rows.scalars())
        return [each for each in rest if each.event.id in ids]

    async def _touch_streams(self, session: Session, events: Sequence[Readable]) -> None:
        if not events:
            return
        await session.execute(
            text(
                f"INSERT INTO {self._streams} AS s "
                "(topic, source, subject, cursor, highest, ready_at) "
                "SELECT topic, source, subject, 0, max(sequence), clock_timestamp() "
                "FROM unnest(CAST(:topics AS text[]), CAST(:sources AS text[]), "
                "CAST(:subjects AS text[]), CAST(:sequences AS bigint[]), CAST(:ids AS text[])) "
                "AS n(topic, source, subject, sequence, event_id) "
                "GROUP BY topic, source, subject ORDER BY topic, source, subject "
                "ON CONFLICT (topic, source, subject) DO UPDATE SET "
                "highest = greatest(s.highest, excluded.highest), "
                # Neither a lease nor a back-off is cut short; a gap may just have been filled.
                "ready_at = CASE WHEN s.lease_token IS NOT NULL THEN s.ready_at "
                "WHEN s.failures > 0 AND s.gap_since IS NULL THEN s.ready_at "
                "ELSE clock_timestamp() END"
            ),
            _columns(events),
        )

    async def _park_forks(self, session: Session, forks: Sequence[Readable]) -> None:
        for fork in forks:
            topic, source, subject, _ = fork.key
            await session.execute(
                text(
                    f"UPDATE {self._streams} SET parked_at = coalesce(parked_at, "
                    "clock_timestamp()), parked_reason = coalesce(parked_reason, "
                    f"'{FORK}') "
                    "WHERE topic = :topic AND source = :source AND subject = :subject"
                ),
                {"topic": topic, "source": source, "subject": subject},
            )

    async def _put_in_quarantine(
        self, session: Session, unreadable: Sequence[Unreadable], forks: Sequence[Readable]
    ) -> None:
        rows = [_quarantined(each.record, each.reason, None) for each in unreadable]
        rows += [_quarantined(f.record, FORK, f.record.body) for f in forks]
        if rows:
            await session.execute(
                text(
                    f'INSERT INTO {self._quarantine} AS q (topic, "partition", "offset", reason, '
                    "length, sha256, body) VALUES (:topic, :partition, :offset, :reason, "
                    ":length, :sha256, :body) "
                    # Another record in its place: the bus forgot the first, and is given it again.
                    'ON CONFLICT (topic, "partition", "offset") DO UPDATE SET '
                    "reason = excluded.reason, length = excluded.length, body = excluded.body, "
                    "sha256 = excluded.sha256, quarantined_at = clock_timestamp(), "
                    "released_at = NULL, released_by = NULL WHERE q.sha256 <> excluded.sha256"
                ),
                rows,
            )

    async def _move_cursors(self, session: Session, next_offsets: Positions) -> None:
        if not next_offsets:
            return
        keys = sorted(next_offsets)
        await session.execute(
            text(
                f'INSERT INTO {self._cursors} (topic, "partition", next_offset) '
                "SELECT * FROM unnest(CAST(:topics AS text[]), CAST(:partitions AS integer[]), "
                'CAST(:offsets AS bigint[])) ON CONFLICT (topic, "partition") DO UPDATE SET '
                "next_offset = excluded.next_offset, moved_at = clock_timestamp()"
            ),
            {
                "topics": [topic for topic, _ in keys],
                "partitions": [partition for _, partition in keys],
                "offsets": [next_offsets[key] for key in keys],
            },
        )


def _columns(events: Sequence[Readable]) -> dict[str, list[object]]:
    return {
        "topics": [each.record.topic for each in events],
        "sources": [each.event.source.value for each in events],
        "subjects": [each.event.subject for each in events],
        "sequences": [each.event.sequence for each in events],
        "ids": [each.event.id for each in events],
    }


def _quarantined(record: Incoming, reason: str, body: bytes | None) -> dict[str, object]:
    raw = record.body or b""
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "reason": reason,
        "length": len(raw),
        "sha256": hashlib.sha256(raw).hexdigest(),
        "body": body,
    }
