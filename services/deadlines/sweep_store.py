"""The sweeper's SQL: what is due, and what we know of facts that have not been folded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from shared.contracts.base import Source, Topic
from shared.runtime.db import Session


@dataclass(frozen=True, slots=True)
class Due:
    """A clock that a sweeper has taken to look at."""

    clock_id: str
    referral_id: str


async def claim_due(session: Session, now: datetime, until: datetime, limit: int) -> list[Due]:
    """Take clocks whose time to look has come; nobody else takes them before `until`."""
    rows = await session.execute(
        text(
            "UPDATE deadlines.clocks SET look_at = :until WHERE clock_id = ANY(ARRAY("
            "SELECT clock_id FROM deadlines.clocks WHERE look_at <= :now "
            "ORDER BY look_at LIMIT :limit FOR UPDATE SKIP LOCKED)) "
            "RETURNING clock_id, referral_id"
        ),
        {"now": now, "until": until, "limit": limit},
    )
    return [Due(row.clock_id, row.referral_id) for row in rows]


async def database_now(session: Session) -> datetime:
    moment: datetime = await session.scalar(text("SELECT clock_timestamp()"))
    return moment


async def next_look(session: Session) -> datetime | None:
    """When the next clock is to be looked at."""
    moment: datetime | None = await session.scalar(
        text("SELECT min(look_at) FROM deadlines.clocks WHERE look_at IS NOT NULL")
    )
    return moment


@dataclass(frozen=True, slots=True)
class Stream:
    """How far the events about a referral from one service have come here.

    `folded`: the last one that was folded; `heard`: the last one that arrived.
    """

    folded: int = 0
    heard: int = 0


async def streams_of(
    session: Session, referral_ids: Sequence[str], streams: Mapping[Source, Topic]
) -> Mapping[tuple[str, Source], Stream]:
    """By referral and service. Absent: none arrived."""
    rows = await session.execute(
        text(
            "SELECT s.subject, s.source, s.cursor, s.highest FROM deadlines.inbox_streams s "
            "JOIN unnest(CAST(:topics AS text[]), CAST(:sources AS text[])) AS w(topic, source) "
            "USING (topic, source) WHERE s.subject = ANY(CAST(:ids AS text[]))"
        ),
        {
            "topics": [topic.value for topic in streams.values()],
            "sources": [source.value for source in streams],
            "ids": list(referral_ids),
        },
    )
    return {(row.subject, Source(row.source)): Stream(row.cursor, row.highest) for row in rows}


async def waiting(session: Session) -> tuple[float, float | None, int]:
    """Seconds that the oldest clock is overdue and unannounced (0: none), and until the next one
    that is open falls due (None: none is open); how many fall due within the hour. Synthetic ones
    are left out."""
    row = (
        await session.execute(
            text(
                "SELECT extract(epoch FROM clock_timestamp() - (SELECT min(due_at) "
                "FROM deadlines.clocks WHERE state = 'open' AND NOT synthetic)) AS overdue, "
                "extract(epoch FROM (SELECT min(due_at) FROM deadlines.clocks "
                "WHERE state = 'open' AND NOT synthetic AND due_at > clock_timestamp()) "
                "- clock_timestamp()) AS next, "
                "(SELECT count(*) FROM deadlines.clocks WHERE state = 'open' AND NOT synthetic "
                "AND due_at < clock_timestamp() + interval '1 hour') AS soon"
            )
        )
    ).one()
    overdue = max(0.0, float(row.overdue)) if row.overdue is not None else 0.0
    return overdue, None if row.next is None else float(row.next), row.soon
