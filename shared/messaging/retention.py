"""Pruning: what was sent, or handled, is kept for its retention and then removed in batches."""

from datetime import timedelta

from sqlalchemy import text

from shared.messaging.tables import InboxTables, OutboxTables
from shared.runtime.db import Database

RETENTION = timedelta(days=30)
_BATCH = 5000


async def prune_outbox(
    db: Database, tables: OutboxTables, older_than: timedelta = RETENTION
) -> int:
    """Remove sent events. The heads stay, so sequences go on without a gap."""
    outbox = tables.outbox.fullname
    return await _prune(db, outbox, "created_at", "sent_at IS NOT NULL", older_than)


async def prune_inbox(db: Database, tables: InboxTables, older_than: timedelta = RETENTION) -> int:
    """Remove handled events. The streams' cursors stay, so a late duplicate is still known; what a
    person decided to skip stays, with who it was."""
    handled = (
        f"EXISTS (SELECT FROM {tables.streams.fullname} s WHERE s.topic = old.topic "
        "AND s.source = old.source AND s.subject = old.subject AND s.cursor >= old.sequence) "
        "AND old.skipped_by IS NULL"
    )
    return await _prune(db, tables.inbox.fullname, "received_at", handled, older_than)


async def _prune(
    db: Database, table: str, arrived: str, finished: str, older_than: timedelta
) -> int:
    # `arrived` has a BRIN index: finding nothing to prune reads a few pages, not the table.
    removed = 0
    while True:
        async with db.transaction() as session:
            result = await session.execute(
                text(
                    f"DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT old.ctid FROM {table} old "
                    f"WHERE {arrived} < clock_timestamp() - CAST(:age AS interval) "
                    f"AND {finished} LIMIT :batch)) RETURNING 1"
                ),
                {"age": older_than, "batch": _BATCH},
            )
            count = len(result.all())
        removed += count
        if count < _BATCH:
            return removed
