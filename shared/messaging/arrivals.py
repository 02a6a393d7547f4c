"""Receiving the usual batch: everything in it is readable and new. One statement, one commit.

It also leases the streams in which nothing waited to the worker of this process, which then need
not ask for them. Whatever is unusual (a duplicate, a fork, what cannot be read) changes nothing
here and is left to the inbox, which takes more statements and knows them all.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from asyncpg import UniqueViolationError
from sqlalchemy import text

from shared.contracts.base import Event
from shared.messaging.bus import Batch
from shared.messaging.inbox import Readable, read
from shared.messaging.streams import LEASE, LONGEST_RUN, Claimed
from shared.messaging.tables import InboxTables
from shared.runtime.db import FORGETFUL, Rows, Session

OwnerFor = Callable[[int], int | None]
"""In whose name so many streams may be leased; None: in nobody's."""

Stream = tuple[str, str, str]
"""Topic, source, subject."""

Runs = Mapping[Stream, Sequence[Readable]]
"""A batch by stream, each one's events in order."""

_KEY = "topic, source, subject"

# 1. A sequence at or below its stream's cursor was handled before: then nothing is done at all.
#    One that lies in the inbox already breaks the primary key, and nothing is done either.
# 2. Rows go in sorted by key, and before their streams (`before`; a part that nobody reads runs
#    last), as the inbox does: so that two consumers cannot deadlock.
# 3. A stream is leased when nothing of it waits and our first event is its next one. The cursor
#    cannot have moved since it was read: only these very events could move it.
# 4. The commit does not wait for the disk. The consumer flushes, once the worker has begun.
_SQL = """
WITH given AS (
    SELECT * FROM unnest(CAST(:topics AS text[]), CAST(:sources AS text[]),
        CAST(:subjects AS text[]), CAST(:sequences AS bigint[]), CAST(:ids AS text[]),
        CAST(:bodies AS bytea[])) AS g(topic, source, subject, sequence, event_id, body)
), stream AS (
    SELECT {key}, run.first, run.last, s.cursor, s.ready_at IS NULL AND s.parked_at IS NULL
        AND coalesce(s.cursor, 0) + 1 = run.first AND CAST(:owner AS integer) IS NOT NULL AS free
    FROM unnest(CAST(:run_topics AS text[]), CAST(:run_sources AS text[]),
        CAST(:run_subjects AS text[]), CAST(:firsts AS bigint[]), CAST(:lasts AS bigint[]))
        AS run(topic, source, subject, first, last)
    LEFT JOIN LATERAL (
        SELECT cursor, ready_at, parked_at FROM {streams}
        WHERE topic = run.topic AND source = run.source AND subject = run.subject OFFSET 0
    ) s ON true
), usual AS (
    SELECT NOT EXISTS (SELECT FROM stream WHERE first <= cursor) AND {forgetful} AS yes
), added AS (
    INSERT INTO {inbox} ({key}, sequence, event_id, body)
    SELECT {key}, sequence, event_id, body FROM given, usual WHERE usual.yes
    ORDER BY {key}, sequence RETURNING 1
), moved AS (
    INSERT INTO {cursors} (topic, "partition", next_offset)
    SELECT topic, "partition", next_offset FROM unnest(CAST(:read_topics AS text[]),
        CAST(:partitions AS integer[]), CAST(:offsets AS bigint[]))
        AS r(topic, "partition", next_offset), usual WHERE usual.yes ORDER BY 1, 2
    ON CONFLICT (topic, "partition")
    DO UPDATE SET next_offset = excluded.next_offset, moved_at = clock_timestamp()
)
INSERT INTO {streams} AS s
    ({key}, cursor, highest, ready_at, lease_owner, lease_token, lease_until)
SELECT {key}, 0, last,
    clock_timestamp() + CASE WHEN free THEN CAST(:lease AS interval) ELSE interval '0' END,
    CASE WHEN free THEN CAST(:owner AS integer) END, CASE WHEN free THEN CAST(:token AS text) END,
    CASE WHEN free THEN clock_timestamp() + CAST(:lease AS interval) END
FROM stream, usual, (SELECT count(*) FROM added) AS before WHERE usual.yes ORDER BY {key}
ON CONFLICT ({key}) DO UPDATE SET
    highest = greatest(s.highest, excluded.highest),
    ready_at = CASE WHEN s.ready_at IS NULL AND s.parked_at IS NULL THEN excluded.ready_at
        WHEN s.lease_token IS NOT NULL THEN s.ready_at
        WHEN s.failures > 0 AND s.gap_since IS NULL THEN s.ready_at
        ELSE clock_timestamp() END,
    lease_owner = CASE WHEN s.ready_at IS NULL AND s.parked_at IS NULL
        THEN excluded.lease_owner ELSE s.lease_owner END,
    lease_token = CASE WHEN s.ready_at IS NULL AND s.parked_at IS NULL
        THEN excluded.lease_token ELSE s.lease_token END,
    lease_until = CASE WHEN s.ready_at IS NULL AND s.parked_at IS NULL
        THEN excluded.lease_until ELSE s.lease_until END
RETURNING s.topic, s.source, s.subject, s.cursor, s.lease_token = CAST(:token AS text) AS leased
"""


class Arrivals:
    """One service's way in for what arrives as it should."""

    def __init__(self, tables: InboxTables) -> None:
        self._take = text(
            _SQL.format(
                key=_KEY,
                inbox=tables.inbox.fullname,
                streams=tables.streams.fullname,
                cursors=tables.cursors.fullname,
                forgetful=FORGETFUL,
            )
        )

    async def take(
        self, session: Session, batch: Batch, owner_for: OwnerFor, token: str
    ) -> tuple[list[Claimed], int] | None:
        """Receive a batch, in a transaction of its own that is not on disk yet.

        Returns what was leased under `token` to whom `owner_for` so many streams names, and how
        many streams were touched.

        None when the batch is unusual: then nothing has changed.
        """
        events = [read(record) for record in batch.records]
        usual = [each for each in events if isinstance(each, Readable)]
        if len(usual) < len(events) or not events:
            return None
        runs = _by_stream(usual)
        lease = {"owner": owner_for(len(runs)), "token": token, "lease": LEASE}
        try:
            rows = await session.execute(self._take, _values(usual, runs, batch) | lease)
        except UniqueViolationError:
            return None
        return (_leased(rows, runs, token), len(rows)) if rows else None


def _by_stream(events: Iterable[Readable]) -> Runs:
    """What came of each stream, in order."""
    runs: dict[Stream, list[Readable]] = {}
    for each in sorted(events, key=lambda each: each.event.sequence):
        runs.setdefault(each.key[:3], []).append(each)
    return runs


def _values(events: Sequence[Readable], runs: Runs, batch: Batch) -> dict[str, object]:
    positions = list(batch.next_offsets.items())
    return {
        "run_topics": [topic for topic, _, _ in runs],
        "run_sources": [source for _, source, _ in runs],
        "run_subjects": [subject for _, _, subject in runs],
        "firsts": [run[0].event.sequence for run in runs.values()],
        "lasts": [run[-1].event.sequence for run in runs.values()],
        "topics": [each.record.topic for each in events],
        "sources": [each.event.source.value for each in events],
        "subjects": [each.event.subject for each in events],
        "sequences": [each.event.sequence for each in events],
        "ids": [each.event.id for each in events],
        "bodies": [each.record.body for each in events],
        "read_topics": [topic for (topic, _), _ in positions],
        "partitions": [partition for (_, partition), _ in positions],
        "offsets": [offset for _, offset in positions],
    }


def _leased(rows: Rows, runs: Runs, token: str) -> list[Claimed]:
    """The leased streams, each with its events of this batch as far as they follow each other;
    those of one subject together, because who is handed both at once does its work once."""
    return [
        _claimed(key, row.cursor + 1, token, runs[key])
        for row in sorted(rows, key=lambda row: str(row.subject))
        if row.leased
        for key in [(row.topic, row.source, row.subject)]
    ]


def _claimed(key: Stream, first: int, token: str, events: Sequence[Readable]) -> Claimed:
    bodies: list[bytes] = []
    run: list[Event] = []
    for each in events[:LONGEST_RUN]:
        if each.event.sequence == first + len(run):
            assert each.record.body is not None
            bodies.append(each.record.body)
            run.append(each.event)
    return Claimed(*key, first, 0, token, tuple(bodies), tuple(run))
