"""Reconciliation: does the record hold what was done, and was done what it holds?

Both sides of each pair are asked for the ids of a closed window of time, and the other side whether
it has them, whenever they came. Only this finds an event that was lost on its way: a gap that
nobody sees from one side. What is lacking is noted, counted by a metric, and looked at again each
time, until both sides have it.

A window is looked at twice, once it has closed and an hour later: a service whose clock is slow
puts things into windows that are closed. What the second look finds is noted once, as ever.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby

import structlog

from services.audit import reconciling_store
from services.audit.sides import Pair, Side
from shared.messaging.leases import Leadership
from shared.runtime import metrics
from shared.runtime.closed_windows import PAGE
from shared.runtime.db import Database
from shared.runtime.errors import Permanent, Retryable
from shared.runtime.ids import utc_now
from shared.runtime.lifecycle import sleep_unless

log = structlog.get_logger()

EVERY_SECONDS = 300.0
GRACE = timedelta(minutes=5)
"""How long what is done may be on its way into the record before a window counts as closed."""
LATER = timedelta(hours=1)
"""How long after its first look a window has its second: the slowest clock that is allowed for."""
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


class Reconciler:
    """The role `reconcile`. `once` is one run over the window that has closed since the last."""

    def __init__(self, db: Database, dsn: str, compared: Sequence[Pair]) -> None:
        self._db = db
        self._dsn = dsn
        self._pairs = compared
        self._began = time.monotonic()

    async def run(self, stop: asyncio.Event) -> None:
        leadership = Leadership(self._dsn, "audit reconcile")
        try:
            while not stop.is_set():
                await self.show()
                if self._pairs and await leadership.contend():
                    await self._try(utc_now() - GRACE)
                await sleep_unless(stop, EVERY_SECONDS)
        finally:
            await leadership.close()

    async def _try(self, until: datetime) -> None:
        try:
            await self.once(until)
        except (Retryable, Permanent) as error:
            log.warning("audit_not_reconciled", error=error)

    async def once(self, until: datetime) -> dict[str, set[str]]:
        """Compare everything from where the last run ended to `until`: what is lacking, by kind.

        Raises Retryable or Permanent when a service does not answer; then nothing is noted.
        """
        async with self._db.transaction() as session:
            start = await reconciling_store.last_window(session)
        missing, compared = await self._lacking(start or BEGINNING, until)
        if start is not None:
            late, _ = await self._lacking(start - LATER, until - LATER)
            for kind, subjects in (await self._unheard_of(late)).items():
                missing[kind] |= subjects
        settled = await self._settled()
        start = start or BEGINNING
        async with self._db.transaction() as session:
            for kind, subjects in missing.items():
                await reconciling_store.add_missing(session, kind, subjects)
            for kind, subjects in settled.items():
                await reconciling_store.settle(session, kind, subjects)
            total = sum(map(len, missing.values()))
            await reconciling_store.add_window(session, start, until, compared, total)
        await self.show()
        log.info("audit_reconciled", compared=compared, missing=total)
        return missing

    async def _lacking(self, start: datetime, end: datetime) -> tuple[dict[str, set[str]], int]:
        """What one side has of this window and the other has not, by kind; how many were asked
        about."""
        missing: dict[str, set[str]] = {}
        compared = 0
        for pair in self._pairs:
            for one, other, lacks in (
                (pair.left, pair.right, pair.right_lacks),
                (pair.right, pair.left, pair.left_lacks),
            ):
                missing[lacks] = set()
                async for ids in _ids(one, start, end):
                    compared += len(ids)
                    missing[lacks] |= set(ids) - await other.known(ids)
        return missing, compared

    async def _unheard_of(self, missing: Mapping[str, set[str]]) -> dict[str, set[str]]:
        """Of these, what no look has noted yet."""
        async with self._db.transaction() as session:
            found = await reconciling_store.open_discrepancies(session)
        noted = {(each.kind, each.subject) for each in found}
        return {
            kind: {each for each in subjects if (kind, each) not in noted}
            for kind, subjects in missing.items()
        }

    async def _settled(self) -> dict[str, set[str]]:
        """Of what was found earlier, what both sides have now."""
        async with self._db.transaction() as session:
            found = await reconciling_store.open_discrepancies(session)
        lacking = {pair.right_lacks: pair.right for pair in self._pairs}
        lacking |= {pair.left_lacks: pair.left for pair in self._pairs}
        settled: dict[str, set[str]] = {}
        by_kind = sorted(found, key=lambda each: each.kind)
        for kind, each in groupby(by_kind, key=lambda each: each.kind):
            if kind in lacking:
                subjects = [one.subject for one in each]
                settled[kind] = set()
                for start in range(0, len(subjects), PAGE):
                    settled[kind] |= await lacking[kind].known(subjects[start : start + PAGE])
        return settled

    async def show(self) -> None:
        """Set the metric to what the table holds: from the start on, and in every process."""
        if not self._pairs:
            return
        async with self._db.transaction() as session:
            counted = await reconciling_store.count_open(session)
        for kind in (kind for pair in self._pairs for kind in (pair.right_lacks, pair.left_lacks)):
            metrics.AUDIT_DISCREPANCIES.labels(kind).set(counted.get(kind, 0))

    async def age(self) -> float:
        """Seconds that the oldest closed moment has waited to be compared; 0 with nothing to do.
        Before the first comparison, since the first entry: a restart begins nothing anew."""
        if not self._pairs:
            return 0.0
        async with self._db.transaction() as session:
            last = await reconciling_store.last_window(session)
            first = await reconciling_store.first_entry(session) if last is None else None
        if last is None:
            here = time.monotonic() - self._began
            return max(here, (utc_now() - first).total_seconds() if first else 0.0)
        return max(0.0, (utc_now() - GRACE - last).total_seconds())


async def _ids(side: Side, start: datetime, end: datetime) -> AsyncIterator[list[str]]:
    after: str | None = ""
    while after is not None:
        page = await side.page(start, end, after)
        if len(page.ids) > PAGE or (page.next is not None and page.next <= after):
            raise Permanent("the pages of a window do not come to an end")
        if page.ids:
            yield page.ids
        after = page.next
