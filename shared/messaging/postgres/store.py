"""All SQL of the PostgreSQL bus. Each function is one statement, so one transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from shared.messaging.bus import Incoming, Outgoing
from shared.messaging.numbering import still_to_come
from shared.messaging.postgres.link import Link

# Who appends in haste tells the readers with the commit: that keeps every other commit waiting that
# tells, and this one waits for no disk. Any other is told of behind its commit (pgnotify).
APPEND = """
WITH taken AS (
    INSERT INTO bus.heads AS head (topic, next_offset)
    SELECT topic, n FROM unnest(CAST($1 AS text[]), CAST($2 AS bigint[])) AS wanted (topic, n)
    ORDER BY topic
    ON CONFLICT (topic) DO UPDATE SET next_offset = head.next_offset + excluded.next_offset
    RETURNING topic, next_offset
), told AS (
    SELECT count(*) AS topics FROM (
        SELECT set_config('synchronous_commit', 'off', true), pg_notify('bus.' || topic, '')
        FROM unnest(CAST($1 AS text[])) AS wanted (topic)
        WHERE pg_postmaster_start_time() = CAST($7 AS timestamptz)
    ) AS beside_its_outbox
), added AS (
    INSERT INTO bus.log (topic, "offset", key, body)
    SELECT topic, next_offset - 1 - to_come, key, body
    FROM unnest(CAST($3 AS text[]), CAST($4 AS bigint[]), CAST($5 AS text[]), CAST($6 AS bytea[]))
        AS record (topic, to_come, key, body)
    JOIN taken USING (topic)
)
SELECT topics > 0 AS told FROM told
"""

_READ = """
SELECT found.topic, found."offset", found.body, found.appended_at
FROM unnest(CAST($1 AS text[]), CAST($2 AS bigint[])) AS wanted (topic, next_offset)
CROSS JOIN LATERAL (
    SELECT log.topic, log."offset", log.body, log.appended_at FROM bus.log
    WHERE log.topic = wanted.topic AND log."offset" >= wanted.next_offset
    ORDER BY log."offset" LIMIT CAST($3 AS bigint)
) AS found
ORDER BY found.topic, found."offset" LIMIT CAST($4 AS bigint)
"""

_POSITIONS = """
SELECT topic, next_offset FROM bus.positions
WHERE group_name = $1 AND topic = ANY(CAST($2 AS text[]))
"""

_REMEMBER = """
INSERT INTO bus.positions (group_name, topic, next_offset)
SELECT $1, topic, next_offset
FROM unnest(CAST($2 AS text[]), CAST($3 AS bigint[])) AS given (topic, next_offset)
ORDER BY topic
ON CONFLICT (group_name, topic)
DO UPDATE SET next_offset = excluded.next_offset, moved_at = clock_timestamp()
"""

_PRUNE = """
DELETE FROM bus.log
WHERE topic = $1 AND appended_at < clock_timestamp() - CAST($2 AS interval)
AND "offset" = ANY(ARRAY(
    SELECT oldest."offset" FROM bus.log AS oldest
    WHERE oldest.topic = $1 AND oldest."offset" < coalesce(
        (SELECT min(next_offset) FROM bus.positions WHERE topic = $1), 9223372036854775807)
    ORDER BY oldest."offset" LIMIT $3
))
RETURNING 1
"""


async def append(link: Link, batch: Sequence[Outgoing], home: datetime | None = None) -> bool:
    """Append all or nothing, in the order given. In the server that was started at `home` without
    waiting for the disk; then whoever listens is told with the commit, and True returned.

    The head rows are locked (in the order of the topics, so two appends cannot deadlock) until
    the commit. So whoever sees an offset sees every lower one: a sequence would not give that.
    """
    (row,) = await link.rows(APPEND, *to_append(batch, home))
    told: bool = row["told"]
    return told


def to_append(batch: Sequence[Outgoing], home: datetime | None = None) -> tuple[object, ...]:
    """The values for APPEND."""
    topics = [record.topic.value for record in batch]
    wanted, to_come = still_to_come(topics)
    keys, bodies = [record.key for record in batch], [record.body for record in batch]
    return list(wanted), list(wanted.values()), topics, to_come, keys, bodies, home


async def read(link: Link, positions: Mapping[str, int], limit: int) -> list[Incoming]:
    """Up to `limit` records from these offsets on, by topic and offset, shared out fairly."""
    share = max(1, limit // len(positions))
    rows = await link.rows(_READ, list(positions), list(positions.values()), share, limit)
    return [
        Incoming(row["topic"], 0, row["offset"], row["body"], row["appended_at"]) for row in rows
    ]


async def remembered(link: Link, group: str, topics: Sequence[str]) -> dict[str, int]:
    """How far the bus knows the group to be, by topic; what is missing is new to it."""
    rows = await link.rows(_POSITIONS, group, list(topics))
    return {row["topic"]: row["next_offset"] for row in rows}


async def remember(link: Link, group: str, positions: Mapping[str, int]) -> None:
    """Note how far a group is, for pruning and for the case that the log is restored."""
    await link.rows(_REMEMBER, group, list(positions), list(positions.values()))


async def prune(link: Link, topic: str, older_than: timedelta, limit: int) -> int:
    """Remove up to `limit` of a topic's oldest records that are old and that every group has
    read; returns how many."""
    return len(await link.rows(_PRUNE, topic, older_than, limit))
