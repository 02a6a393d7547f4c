"""The inbox as a queue: claiming, finishing and parking streams. All SQL of the worker.

A stream is what one source says of one subject on one topic. Its cursor is the last finished
sequence: what lies above it waits. `ready_at` says when to look at it next: now, after a back-off,
or when its lease runs out; null when nothing waits.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import text

from shared.contracts.base import Event
from shared.messaging.leases import ALIVE_OWNERS
from shared.messaging.tables import InboxTables
from shared.runtime.db import Session

LEASE = timedelta(seconds=30)
"""At least three times the total deadline of the work (see worker.PREPARE_SECONDS)."""

LONGEST_RUN = 16
"""How many events of one stream are taken at once, at most."""

_GAP_POLL = timedelta(seconds=1)
_KEY = "topic, source, subject"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A leased stream and its next events, from `first` on without a gap; none has arrived when
    `bodies` is empty."""

    topic: str
    source: str
    subject: str
    first: int
    failures: int
    token: str
    bodies: tuple[bytes, ...]
    events: tuple[Event, ...] = ()
    """What the bodies say, where they were read already."""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.topic, self.source, self.subject

    @property
    def last(self) -> int:
        return self.first + len(self.bodies) - 1

    def up_to(self, count: int) -> "Claimed":
        """The same lease with its first `count` events only."""
        if count == len(self.bodies):
            return self
        return replace(self, bodies=self.bodies[:count], events=self.events[:count])


def new_token() -> str:
    return secrets.token_hex(8)


# Rows that are there, and locked, are moved by an upsert: it finds each by its key whatever the
# plan. An UPDATE that was planned while the table was small reads it whole for every batch.
_CLAIM = """
WITH due AS (
    SELECT {key}, cursor, highest, clock_timestamp() + CAST(:lease AS interval) AS until
    FROM {streams} WHERE ready_at <= clock_timestamp() AND parked_at IS NULL
    ORDER BY ready_at LIMIT :limit FOR UPDATE SKIP LOCKED
), leased AS (
    INSERT INTO {streams} AS s
        ({key}, cursor, highest, ready_at, lease_owner, lease_token, lease_until)
    SELECT {key}, cursor, highest, until, :owner, :token, until FROM due
    ON CONFLICT ({key}) DO UPDATE SET
        ready_at = excluded.ready_at, lease_owner = excluded.lease_owner,
        lease_token = excluded.lease_token, lease_until = excluded.lease_until
    RETURNING s.topic, s.source, s.subject, s.cursor, s.failures
)
SELECT l.*, i.sequence, i.body FROM leased l LEFT JOIN LATERAL (
    SELECT sequence, body FROM {inbox}
    WHERE topic = l.topic AND source = l.source AND subject = l.subject
        AND sequence > l.cursor AND sequence <= l.cursor + :run OFFSET 0
) i ON true
ORDER BY l.topic, l.source, l.subject, i.sequence
"""

# The rows are locked in sorted order, as the inbox does, so that nobody can deadlock.
_FINISH = """
WITH done AS MATERIALIZED (
    SELECT * FROM unnest(CAST(:topics AS text[]), CAST(:sources AS text[]),
        CAST(:subjects AS text[]), CAST(:tokens AS text[]), CAST(:lasts AS bigint[]))
        AS d(topic, source, subject, token, last) ORDER BY {key}
), held AS (
    SELECT d.topic, d.source, d.subject, d.last FROM done d CROSS JOIN LATERAL (
        SELECT FROM {streams} WHERE topic = d.topic AND source = d.source
            AND subject = d.subject AND lease_token = d.token FOR UPDATE
    ) s
)
INSERT INTO {streams} AS s ({key}, cursor, highest)
SELECT {key}, last, last FROM held
ON CONFLICT ({key}) DO UPDATE SET
    cursor = excluded.cursor, failures = 0, last_error = NULL, gap_since = NULL,
    lease_owner = NULL, lease_token = NULL, lease_until = NULL,
    ready_at = CASE WHEN s.highest > excluded.cursor THEN clock_timestamp() END
RETURNING s.topic, s.source, s.subject, s.highest > s.cursor AS more
"""

_FREE_DEAD = """
WITH dead AS (
    SELECT topic, source, subject FROM {streams}
    WHERE lease_owner IS NOT NULL AND (lease_token = ANY(CAST(:disowned AS text[]))
        OR lease_owner NOT IN ({alive})) FOR UPDATE SKIP LOCKED
)
UPDATE {streams} s SET lease_owner = NULL, lease_token = NULL, lease_until = NULL,
    ready_at = clock_timestamp()
FROM dead d WHERE s.topic = d.topic AND s.source = d.source AND s.subject = d.subject
RETURNING 1
"""


class Streams:
    """One service's streams."""

    def __init__(self, tables: InboxTables) -> None:
        self._streams = tables.streams.fullname
        self._inbox = tables.inbox.fullname
        names = {"streams": self._streams, "inbox": self._inbox, "alive": ALIVE_OWNERS, "key": _KEY}
        self._claim = text(_CLAIM.format(**names))
        self._finish = text(_FINISH.format(**names))
        self._free_dead = text(_FREE_DEAD.format(**names))

    async def claim(self, session: Session, owner: int, limit: int) -> list[Claimed]:
        """Lease up to `limit` ready streams, each with its lowest unfinished events."""
        token = new_token()
        rows = await session.execute(
            self._claim,
            {"limit": limit, "owner": owner, "token": token, "lease": LEASE, "run": LONGEST_RUN},
        )
        found: dict[tuple[str, str, str], tuple[Any, list[bytes]]] = {}
        for row in rows:
            _, bodies = found.setdefault((row.topic, row.source, row.subject), (row, []))
            if row.body is not None and row.sequence == row.cursor + 1 + len(bodies):
                bodies.append(row.body)
        return [
            Claimed(*key, row.cursor + 1, row.failures, token, tuple(bodies))
            for key, (row, bodies) in found.items()
        ]

    async def finish(
        self, session: Session, claimed: Sequence[Claimed]
    ) -> tuple[list[Claimed], int]:
        """Move the cursors over these events, first thing in the transaction of their effects.

        Returns those whose lease we still hold, their rows locked, and how many of their streams
        have more waiting; the others are somebody else's, and nothing may be done for them.
        """
        rows = await session.execute(self._finish, _columns(claimed))
        held = {(row.topic, row.source, row.subject) for row in rows}
        return [each for each in claimed if each.key in held], sum(row.more for row in rows)

    async def skip(self, session: Session, claimed: Claimed, by: str) -> None:
        """Move past a parked event without handling it, whoever holds it; `by` is kept with it."""
        place = _place(claimed) | {"sequence": claimed.first}
        await session.execute(
            text(
                f"UPDATE {self._inbox} SET skipped_by = :by WHERE topic = :topic "
                "AND source = :source AND subject = :subject AND sequence = :sequence"
            ),
            place | {"by": by},
        )
        await session.execute(
            text(
                f"UPDATE {self._streams} SET cursor = :sequence, failures = 0, "
                "last_error = NULL, gap_since = NULL, parked_at = NULL, parked_reason = NULL, "
                "lease_owner = NULL, lease_token = NULL, lease_until = NULL, "
                "ready_at = CASE WHEN highest > :sequence THEN clock_timestamp() END "
                "WHERE topic = :topic AND source = :source AND subject = :subject"
            ),
            place,
        )

    async def await_gap(self, session: Session, claimed: Claimed) -> None:
        """Nothing to do yet: idle if all is handled, else wait for the missing sequence."""
        await self._release(
            session,
            claimed,
            "ready_at = CASE WHEN highest >= :sequence "
            "THEN clock_timestamp() + CAST(:wait AS interval) END, "
            "gap_since = CASE WHEN highest >= :sequence "
            "THEN coalesce(gap_since, clock_timestamp()) END",
            sequence=claimed.first,
            wait=_GAP_POLL,
        )

    async def back_off(
        self, session: Session, claimed: Claimed, wait: timedelta, error: str
    ) -> None:
        """This subject alone is tried again after `wait`."""
        await self._release(
            session,
            claimed,
            "ready_at = clock_timestamp() + CAST(:wait AS interval), "
            "failures = failures + 1, last_error = :error",
            wait=wait,
            error=error,
        )

    async def park(self, session: Session, claimed: Claimed, reason: str) -> None:
        """This subject alone stops until a person replays or skips its event."""
        await self._release(
            session,
            claimed,
            "ready_at = clock_timestamp(), parked_at = clock_timestamp(), "
            "parked_reason = :reason, failures = failures + 1",
            reason=reason,
        )

    async def free_dead(self, session: Session, disowned: Sequence[str] = ()) -> int:
        """Free the leases of owners whose session is gone, and those with these tokens."""
        return len(await session.execute(self._free_dead, {"disowned": list(disowned)}))

    async def _release(
        self, session: Session, claimed: Claimed, changes: str, **values: object
    ) -> None:
        await session.execute(
            text(
                f"UPDATE {self._streams} SET {changes}, lease_owner = NULL, lease_token = NULL, "
                "lease_until = NULL WHERE topic = :topic AND source = :source "
                "AND subject = :subject AND lease_token = :token"
            ),
            _place(claimed) | {"token": claimed.token} | values,
        )


def _place(claimed: Claimed) -> dict[str, object]:
    return {"topic": claimed.topic, "source": claimed.source, "subject": claimed.subject}


def _columns(claimed: Sequence[Claimed]) -> dict[str, list[object]]:
    return {
        "topics": [each.topic for each in claimed],
        "sources": [each.source for each in claimed],
        "subjects": [each.subject for each in claimed],
        "tokens": [each.token for each in claimed],
        "lasts": [each.last for each in claimed],
    }
