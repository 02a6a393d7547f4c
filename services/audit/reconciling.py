"""Reconciliation: does the record hold what was done, and was done what it holds?

Both sides of each pair are asked for the ids of a closed window of time, and the other side whether
it has them, whenever they came. Only this finds an event that was lost on its way: a gap that
nobody sees from one side. What is lacking is noted, counted by a metric, and looked at again each
time, until both sides have it.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Protocol
from urllib.parse import quote, urlencode

import structlog

from services.audit import reconciling_store
from shared.messaging.leases import Leadership
from shared.runtime import metrics
from shared.runtime.closed_windows import PAGE, Listed, Page, read_known, read_page
from shared.runtime.db import Database
from shared.runtime.errors import Permanent, Retryable
from shared.runtime.ids import utc_now
from shared.runtime.internal_http import InternalClient
from shared.runtime.lifecycle import sleep_unless

log = structlog.get_logger()

EVERY_SECONDS = 300.0
GRACE = timedelta(minutes=5)
"""How long what is done may be on its way into the record before a window counts as closed."""
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


class Side(Protocol):
    """One holder of ids."""

    async def page(self, start: datetime, end: datetime, after: str) -> Page: ...

    async def known(self, ids: list[str]) -> set[str]: ...


@dataclass(frozen=True)
class Pair:
    """Two sides that must hold the same ids, and the words for what each may lack."""

    left: Side
    right: Side
    right_lacks: str
    left_lacks: str


class OwnSide:
    """The log."""

    def __init__(self, db: Database, listed: Listed) -> None:
        self._db = db
        self._listed = listed

    async def page(self, start: datetime, end: datetime, after: str) -> Page:
        async with self._db.transaction() as session:
            return await read_page(session, self._listed, start, end, after)

    async def known(self, ids: list[str]) -> set[str]:
        async with self._db.transaction() as session:
            return await read_known(session, self._listed, ids)


class FarSide:
    """Another service, over its internal API. Raises Retryable or Permanent."""

    def __init__(self, client: InternalClient, kind: str) -> None:
        self._client = client
        self._path = f"/internal/v1/windows/{kind}"

    async def page(self, start: datetime, end: datetime, after: str) -> Page:
        asked = {"start": start.isoformat(), "end": end.isoformat(), "after": after}
        answer = await self._client.get(f"{self._path}?{urlencode(asked, quote_via=quote)}")
        return _page(answer)

    async def known(self, ids: list[str]) -> set[str]:
        return set(_page(await self._client.post(f"{self._path}/known", {"ids": ids})).ids)


def _page(answer: object) -> Page:
    try:
        return Page.model_validate(answer)
    except ValueError:
        raise Permanent("the answer is not in the form agreed") from None


def pairs(db: Database, intake: InternalClient, notify: InternalClient) -> tuple[Pair, ...]:
    """Everything that is compared."""
    own = {kind: OwnSide(db, listed) for kind, listed in reconciling_store.KINDS.items()}

    def own_of(client: InternalClient, kind: str, entered: str, word: str) -> Pair:
        lacks = f"{word}_without_entry", f"entry_without_{word}"
        return Pair(FarSide(client, kind), own[entered], *lacks)

    def far(client: InternalClient, kind: str) -> FarSide:
        return FarSide(client, kind)

    return (
        own_of(notify, "attempts", "attempts", "attempt"),
        own_of(notify, "outcomes", "outcomes", "outcome"),
        own_of(notify, "tellings", "told_by_notify", "telling"),
        own_of(intake, "reads", "reads", "read"),
        own_of(intake, "tellings", "told_by_intake", "placement_telling"),
        own_of(intake, "exports", "exports", "export"),
        Pair(
            far(intake, "versions"),
            far(notify, "plans"),
            "version_without_plan",
            "plan_without_version",
        ),
        Pair(
            far(notify, "deliveries"),
            far(notify, "receipts"),
            "delivery_without_receipt",
            "receipt_without_delivery",
        ),
        Pair(
            far(notify, "answered"),
            far(notify, "stated"),
            "answered_and_not_held",
            "held_and_not_attempted",
        ),
    )


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
            start = await reconciling_store.last_window(session) or BEGINNING
        missing: dict[str, set[str]] = {}
        compared = 0
        for pair in self._pairs:
            for one, other, lacks in (
                (pair.left, pair.right, pair.right_lacks),
                (pair.right, pair.left, pair.left_lacks),
            ):
                lacking = set()
                async for ids in _ids(one, start, until):
                    compared += len(ids)
                    lacking |= set(ids) - await other.known(ids)
                missing[lacks] = lacking
        settled = await self._settled()
        async with self._db.transaction() as session:
            for kind, subjects in missing.items():
                await reconciling_store.add_missing(session, kind, subjects)
            for kind, subjects in settled.items():
                await reconciling_store.settle(session, kind, subjects)
            total = sum(map(len, missing.values()))
            await reconciling_store.add_window(session, start, until, compared, total)
        await self._count(missing)
        log.info("audit_reconciled", compared=compared, missing=total)
        return missing

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

    async def _count(self, kinds: Mapping[str, object]) -> None:
        async with self._db.transaction() as session:
            counted = await reconciling_store.count_open(session)
        for kind in kinds:
            metrics.AUDIT_DISCREPANCIES.labels(kind).set(counted.get(kind, 0))

    async def age(self) -> float:
        """Seconds that the oldest closed moment has waited to be compared; 0 with nothing to do."""
        if not self._pairs:
            return 0.0
        async with self._db.transaction() as session:
            last = await reconciling_store.last_window(session)
        if last is None:
            return time.monotonic() - self._began
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
