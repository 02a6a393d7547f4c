"""Pruning: what was sent, or handled, is kept for its retention and then removed in batches."""

from datetime import datetime, timedelta

from sqlalchemy import text

from shared.messaging.tables import InboxTables, OutboxTables
from shared.runtime.db import Database, Session

RETENTION = timedelta(days=30)
_BATCH = 5000


async def prune_outbox(
    db: Database,
    tables: OutboxTables,
    older_than: timedelta = RETENTION,
    *,
    before: datetime | None = None,
) -> int:
    """Remove sent events. The heads stay, so sequences go on without a gap. `before`, when given,
    is the bound instead of `older_than`."""
    outbox = tables.outbox.fullname
    return await _prune(db, outbox, "created_at", _SENT, older_than, before)


async def prune_inbox(
    db: Database,
    tables: InboxTables,
    older_than: timedelta = RETENTION,
    *,
    before: datetime | None = None,
) -> int:
    """Remove handled events. The streams' cursors stay, so a late duplicate is still known; what a
    person decided to skip stays, with who it was."""
    inbox, handled = tables.inbox.fullname, _handled(tables)
    return await _prune(db, inbox, "received_at", handled, older_than, before)


async def count_finished(
    session: Session,
    outbox: OutboxTables | None,
    inbox: InboxTables | None,
    *,
    before: datetime,
    handled: datetime,
) -> tuple[int, int]:
    """How many sent and how many handled events pruning with these bounds would remove."""
    sent = done = 0
    if outbox is not None:
        query = f"SELECT count(*) FROM {outbox.outbox.fullname} WHERE created_at < :at AND {_SENT}"
        sent = await session.scalar(text(query), {"at": before})
    if inbox is not None:
        query = f"SELECT count(*) FROM {inbox.inbox.fullname} old WHERE received_at < :at AND "
        done = await session.scalar(text(query + _handled(inbox)), {"at": handled})
    return sent, done


_SENT = "sent_at IS NOT NULL"


def _handled(tables: InboxTables) -> str:
    return (
        f"EXISTS (SELECT FROM {tables.streams.fullname} s WHERE s.topic = old.topic "
        "AND s.source = old.source AND s.subject = old.subject AND s.cursor >= old.sequence) "
        "AND old.skipped_by IS NULL"
    )


async def _prune(
    db: Database,
    table: str,
    arrived: str,
    finished: str,
    older_than: timedelta,
    before: datetime | None,
) -> int:
    # `arrived` has a BRIN index: finding nothing to prune reads a few pages, not the table.
    removed = 0
    while True:
        async with db.transaction() as session:
            result = await session.execute(
                text(
                    f"DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT old.ctid FROM {table} old "
                    f"WHERE {arrived} < coalesce(CAST(:before AS timestamptz), "
                    "clock_timestamp() - CAST(:age AS interval)) "
                    f"AND {finished} LIMIT :batch)) RETURNING 1"
                ),
                {"age": older_than, "before": before, "batch": _BATCH},
            )
            count = len(result.all())
        removed += count
        if count < _BATCH:
            return removed
