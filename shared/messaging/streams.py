"""The inbox as a queue: claiming, finishing and parking streams. All SQL of the worker.

A stream is what one source says of one subject on one topic. `ready_at` says when to look at it
next: now, after a back-off, or when its lease runs out; null when nothing waits.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text

from shared.messaging.leases import ALIVE_OWNERS
from shared.messaging.tables import InboxTables
from shared.runtime.db import Session

LEASE = timedelta(seconds=30)
"""At least three times the total deadline of the work (see worker.PREPARE_SECONDS)."""

_GAP_POLL = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A leased stream and its next event; `body` is None when that one has not arrived."""

    topic: str
    source: str
    subject: str
    sequence: int
    highest: int
    failures: int
    token: str
    body: bytes | None

    @property
    def key(self) -> tuple[str, str, str]:
        return self.topic, self.source, self.subject


class Streams:
    """One service's streams."""

    def __init__(self, tables: InboxTables) -> None:
        self._streams = tables.streams.fullname
        self._inbox = tables.inbox.fullname

    async def claim(self, session: Session, owner: int, limit: int) -> list[Claimed]:
        """Lease up to `limit` ready streams, each with its lowest unfinished event."""
        token = secrets.token_hex(8)
        rows = await session.execute(
            text(
                f"WITH due AS (SELECT topic, source, subject FROM {self._streams} "
                "WHERE ready_at <= clock_timestamp() AND parked_at IS NULL "
                "ORDER BY ready_at LIMIT :limit FOR UPDATE SKIP LOCKED), "
                f"leased AS (UPDATE {self._streams} s SET lease_owner = :owner, "
                "lease_token = :token, lease_until = clock_timestamp() + CAST(:lease AS interval), "
                "ready_at = clock_timestamp() + CAST(:lease AS interval) FROM due d "
                "WHERE s.topic = d.topic AND s.source = d.source AND s.subject = d.subject "
                "RETURNING s.topic, s.source, s.subject, s.cursor, s.highest, s.failures) "
                "SELECT l.*, i.body FROM leased l "
                f"LEFT JOIN {self._inbox} i ON i.topic = l.topic AND i.source = l.source "
                "AND i.subject = l.subject AND i.sequence = l.cursor + 1"
            ),
            {"limit": limit, "owner": owner, "token": token, "lease": LEASE},
        )
        return [
            Claimed(
                row.topic,
                row.source,
                row.subject,
                row.cursor + 1,
                row.highest,
                row.failures,
                token,
                row.body,
            )
            for row in rows
        ]

    async def lock(self, session: Session, claimed: Sequence[Claimed]) -> list[Claimed]:
        """Those whose lease we still hold, their rows locked; the others are somebody else's."""
        rows = await session.execute(
            text(
                f"SELECT s.topic, s.source, s.subject FROM {self._streams} s "
                "JOIN unnest(CAST(:topics AS text[]), CAST(:sources AS text[]), "
                "CAST(:subjects AS text[]), CAST(:tokens AS text[])) "
                "AS c(topic, source, subject, token) ON s.topic = c.topic "
                "AND s.source = c.source AND s.subject = c.subject AND s.lease_token = c.token "
                "ORDER BY s.topic, s.source, s.subject FOR UPDATE OF s"
            ),
            _columns(claimed) | {"tokens": [each.token for each in claimed]},
        )
        held = {(row.topic, row.source, row.subject) for row in rows}
        return [each for each in claimed if each.key in held]

    async def finish(
        self, session: Session, held: Sequence[Claimed], skipped_by: str | None = None
    ) -> int:
        """Move the cursors over these events. How many streams have more waiting."""
        await session.execute(
            text(
                f"UPDATE {self._inbox} i SET done_at = clock_timestamp(), skipped_by = :by "
                "FROM unnest(CAST(:topics AS text[]), CAST(:sources AS text[]), "
                "CAST(:subjects AS text[]), CAST(:sequences AS bigint[])) "
                "AS c(topic, source, subject, sequence) WHERE i.topic = c.topic "
                "AND i.source = c.source AND i.subject = c.subject AND i.sequence = c.sequence"
            ),
            _columns(held) | {"sequences": [each.sequence for each in held], "by": skipped_by},
        )
        rows = await session.execute(
            text(
                f"UPDATE {self._streams} s SET cursor = c.sequence, failures = 0, "
                "last_error = NULL, gap_since = NULL, "
                # Only a person's skip ends a park: a fork may have come while we worked.
                "parked_at = CASE WHEN CAST(:by AS text) IS NULL THEN s.parked_at END, "
                "parked_reason = CASE WHEN CAST(:by AS text) IS NULL THEN s.parked_reason END, "
                "lease_owner = NULL, lease_token = NULL, lease_until = NULL, "
                "ready_at = CASE WHEN s.highest > c.sequence THEN clock_timestamp() END "
                "FROM unnest(CAST(:topics AS text[]), CAST(:sources AS text[]), "
                "CAST(:subjects AS text[]), CAST(:sequences AS bigint[])) "
                "AS c(topic, source, subject, sequence) WHERE s.topic = c.topic "
                "AND s.source = c.source AND s.subject = c.subject "
                "RETURNING s.highest > c.sequence AS more"
            ),
            _columns(held) | {"sequences": [each.sequence for each in held], "by": skipped_by},
        )
        return sum(row.more for row in rows)

    async def await_gap(self, session: Session, claimed: Claimed) -> None:
        """Nothing to do yet: idle if all is handled, else wait for the missing sequence."""
        await self._release(
            session,
            claimed,
            "ready_at = CASE WHEN highest >= :sequence "
            "THEN clock_timestamp() + CAST(:wait AS interval) END, "
            "gap_since = CASE WHEN highest >= :sequence "
            "THEN coalesce(gap_since, clock_timestamp()) END",
            sequence=claimed.sequence,
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

    async def free_dead(self, session: Session) -> int:
        """Free the leases of owners whose session is gone."""
        rows = await session.execute(
            text(
                f"UPDATE {self._streams} SET lease_owner = NULL, lease_token = NULL, "
                "lease_until = NULL, ready_at = clock_timestamp() "
                f"WHERE lease_owner IS NOT NULL AND lease_owner NOT IN ({ALIVE_OWNERS}) "
                "RETURNING 1"
            )
        )
        return len(rows.all())

    async def _release(
        self, session: Session, claimed: Claimed, changes: str, **values: object
    ) -> None:
        await session.execute(
            text(
                f"UPDATE {self._streams} SET {changes}, lease_owner = NULL, lease_token = NULL, "
                "lease_until = NULL WHERE topic = :topic AND source = :source "
                "AND subject = :subject AND lease_token = :token"
            ),
            {
                "topic": claimed.topic,
                "source": claimed.source,
                "subject": claimed.subject,
                "token": claimed.token,
                **values,
            },
        )


def _columns(claimed: Sequence[Claimed]) -> dict[str, list[object]]:
    return {
        "topics": [each.topic for each in claimed],
        "sources": [each.source for each in claimed],
        "subjects": [each.subject for each in claimed],
    }
