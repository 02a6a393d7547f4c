"""Append to the log and know that it is there: group commit for callers who wait.

Handlers queue their leaves in their own transaction and the role `seal` sequences them; whoever
must know the index before going on (a package of evidence, a benchmark) appends here. One batch is
on its way at a time, straight into the tree; what comes meanwhile goes with the next, so that many
callers share a commit.
"""

import asyncio
from collections.abc import Sequence

from services.audit import recovering_store, store
from services.audit.leaf import Submission
from shared.runtime import metrics
from shared.runtime.db import Database, wake_after_commit

_MOST = 1024


class Appending:
    """`append` returns when the leaf is an entry and durable; the next checkpoint covers it."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: list[tuple[Submission, asyncio.Future[None]]] = []
        self._running: asyncio.Task[None] | None = None

    async def append(self, submission: Submission) -> None:
        """Once, however often it is called. Raises what the database raises; then it is unknown
        whether the leaf is in the log: append the same one again."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((submission, done))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        await done

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
            try:
                await self._append([submission for submission, _ in batch])
            except Exception as error:
                _settle(batch, error)
            else:
                _settle(batch, None)

    async def _append(self, batch: Sequence[Submission]) -> None:
        unique = list({(each.event_id, each.position): each for each in batch}.values())
        async with self._db.transaction() as session:
            frontier = await store.lock_head(session)
            hashes = await recovering_store.restore_entries(session, frontier.size, unique)
            if hashes:
                await store.add_nodes(session, frontier.extend(hashes))
                await store.move_head(session, frontier)
            wake_after_commit(session, store.SEAL_WAKE)
        metrics.AUDIT_SEQUENCED.inc(len(hashes))


def _settle(
    batch: Sequence[tuple[Submission, "asyncio.Future[None]"]], error: Exception | None
) -> None:
    for _, done in batch:
        if done.done():
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)
