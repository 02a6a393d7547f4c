"""What of messaging stands or waits, for whoever watches the way. It only reads."""

from sqlalchemy import text

from shared.contracts.base import Topic
from shared.messaging.forks import fork_numbers
from shared.messaging.quarantined import FORK
from shared.messaging.tables import InboxTables, OutboxTables
from shared.runtime.db import Session
from shared.runtime.progress import DAY, FORKED, PARKED, UNREADABLE, Stage, Stopped
from shared.runtime.session import Row

_SHOWN = 20


async def standing_still(session: Session, tables: InboxTables) -> list[Stopped]:
    """All of a service's inbox that waits for a person."""
    return [
        *await parked_subjects(session, tables),
        *await unreadable_records(session, tables),
    ]


async def parked_subjects(session: Session, tables: InboxTables) -> list[Stopped]:
    """The longest first, 20 at most; a fork says which number two events have."""
    rows = await session.execute(
        text(
            "SELECT subject, topic, source, coalesce(parked_reason, '') AS reason, "
            "extract(epoch FROM clock_timestamp() - parked_at) AS age "
            f"FROM {tables.streams.fullname} WHERE parked_at IS NOT NULL "
            f"ORDER BY parked_at LIMIT {_SHOWN}"
        )
    )
    found = rows.all()
    forked = any(row.reason == FORK for row in found)
    numbers = await fork_numbers(session, tables) if forked else {}
    return [_stopped(row, numbers.get((row.topic, row.source, row.subject))) for row in found]


def _stopped(row: Row, number: int | None) -> Stopped:
    if row.reason != FORK:
        return Stopped(PARKED, row.subject, float(row.age), f"{row.topic}: {row.reason}")
    which = row.topic if number is None else f"{row.topic} #{number}"
    return Stopped(FORKED, row.subject, float(row.age), which)


async def unreadable_records(session: Session, tables: InboxTables) -> list[Stopped]:
    """Those in quarantine that are no forks, the oldest first, 20 at most."""
    rows = await session.execute(
        text(
            "SELECT concat_ws('/', topic, partition, \"offset\") AS place, reason, "
            "extract(epoch FROM clock_timestamp() - quarantined_at) AS age "
            f"FROM {tables.quarantine.fullname} WHERE released_at IS NULL AND reason <> :fork "
            f'ORDER BY quarantined_at, topic, partition, "offset" LIMIT {_SHOWN}'
        ),
        {"fork": FORK},
    )
    return [Stopped(UNREADABLE, row.place, float(row.age), row.reason) for row in rows]


async def relayed(session: Session, tables: OutboxTables, topic: Topic, name: str) -> Stage:
    """How many events of a topic the bus took, and how many it has not."""
    outbox = tables.outbox.fullname
    row = (
        await session.execute(
            text(
                f"SELECT (SELECT count(*) FROM {outbox} WHERE topic = :topic "
                "AND sent_at IS NOT NULL "
                "AND created_at > clock_timestamp() - make_interval(secs => :day)) AS done, "
                "count(*) AS waiting, "
                "coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0) AS oldest "
                f"FROM {outbox} WHERE sent_at IS NULL AND topic = :topic"
            ),
            {"topic": topic.value, "day": DAY},
        )
    ).one()
    return Stage(name, row.done, row.waiting, float(row.oldest))


async def unhandled(session: Session, tables: InboxTables, topic: Topic) -> tuple[int, float]:
    """How many events of a topic are here and not handled, and the age of the oldest."""
    inbox, streams = tables.inbox.fullname, tables.streams.fullname
    row = (
        await session.execute(
            text(
                "SELECT count(*) AS waiting, coalesce(extract(epoch FROM "
                "clock_timestamp() - min(i.received_at)), 0) AS oldest "
                f"FROM {streams} s JOIN {inbox} i ON i.topic = s.topic AND i.source = s.source "
                "AND i.subject = s.subject AND i.sequence > s.cursor AND i.sequence <= s.highest "
                "WHERE s.ready_at IS NOT NULL AND s.topic = :topic"
            ),
            {"topic": topic.value},
        )
    ).one()
    return row.waiting, float(row.oldest)
