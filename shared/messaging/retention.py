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
    return await _prune(db, _sent(tables.outbox.fullname), older_than, before)


async def prune_inbox(
    db: Database,
    tables: InboxTables,
    older_than: timedelta = RETENTION,
    *,
    before: datetime | None = None,
) -> int:
    """Remove handled events. The streams' cursors stay, so a late duplicate is still known; what a
    person decided to skip stays, with who it was."""
    return await _prune(db, _finished(tables), older_than, before)


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
_BOUND = "coalesce(CAST(:before AS timestamptz), statement_timestamp() - CAST(:age AS interval))"


def _sent(outbox: str) -> str:
    """The oldest by id, which is the order of arrival, as far as they are sent and old. Nothing is
    looked through where the very oldest is young."""
    return (
        f"DELETE FROM {outbox} WHERE {_SENT} AND id = ANY(ARRAY("
        f"SELECT id FROM (SELECT id, created_at, sent_at FROM {outbox} WHERE "
        f"(SELECT created_at FROM {outbox} ORDER BY id LIMIT 1) < {_BOUND} "
        f"ORDER BY id LIMIT :batch) AS oldest WHERE created_at < {_BOUND} AND {_SENT})) RETURNING 1"
    )


def _finished(tables: InboxTables) -> str:
    inbox = tables.inbox.fullname
    return (
        f"DELETE FROM {inbox} WHERE ctid = ANY(ARRAY(SELECT old.ctid FROM {inbox} old "
        f"WHERE received_at < {_BOUND} AND {_handled(tables)} "
        "ORDER BY received_at LIMIT :batch)) RETURNING 1"
    )


def _handled(tables: InboxTables) -> str:
    return (
        f"EXISTS (SELECT FROM {tables.streams.fullname} s WHERE s.topic = old.topic "
        "AND s.source = old.source AND s.subject = old.subject AND s.cursor >= old.sequence) "
        "AND old.skipped_by IS NULL"
    )


async def _prune(
    db: Database, statement: str, older_than: timedelta, before: datetime | None
) -> int:
    """Batch by batch, until one finds nothing."""
    removed = 0
    while True:
        async with db.transaction() as session:
            result = await session.execute(
                text(statement), {"age": older_than, "before": before, "batch": _BATCH}
            )
        if not result:
            return removed
        removed += len(result)
