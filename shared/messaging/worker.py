"""The worker: leases streams, prepares outside any transaction, applies inside one."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from pydantic import ValidationError

from shared.contracts.base import Event, EventData
from shared.contracts.registry import parse_data
from shared.messaging.handler import BatchHandler, Handler
from shared.messaging.leases import Presence
from shared.messaging.retention import prune_inbox
from shared.messaging.streams import Claimed, Streams
from shared.messaging.tables import InboxTables
from shared.runtime import metrics
from shared.runtime.db import Database, Session
from shared.runtime.errors import Permanent
from shared.runtime.failpoints import failpoint

log = structlog.get_logger()

WORK_WAKE = "work"
PREPARE_SECONDS = 10.0

_IN_FLIGHT = 128
_GROUP = 32
_POLL_SECONDS = 1.0
_REAP_SECONDS = 2.0
_PRUNE_SECONDS = 600.0
_FIRST_BACKOFF = timedelta(milliseconds=200)
_LONGEST_BACKOFF = timedelta(seconds=30)

Handlers = Mapping[type[EventData], Handler[Any]]


@dataclass(frozen=True, slots=True)
class Ready:
    """An event whose material is at hand. `data` is None for a type we do not handle."""

    claimed: Claimed
    event: Event
    data: EventData | None
    material: Any


def backoff(failures: int) -> timedelta:
    """How long a subject waits after its n-th failure in a row (n from 0): doubling to 30 s."""
    doubled: timedelta = _FIRST_BACKOFF * (1 << min(failures, 16))
    return min(doubled, _LONGEST_BACKOFF)


class Worker:
    """Works through one service's inbox: in order within a stream, streams side by side.

    1. Claim ready streams, as many as fit in flight.
    2. Prepare each on its own, bounded in time; a slow one holds up only itself.
    3. Apply whatever is ready in one transaction, cursors included; if that fails, one by one.
    """

    def __init__(
        self, name: str, db: Database, dsn: str, tables: InboxTables, handlers: Handlers
    ) -> None:
        self._name = name
        self._db = db
        self._dsn = dsn
        self._tables = tables
        self._streams = Streams(tables)
        self._handlers = handlers
        self._ready: asyncio.Queue[Ready] = asyncio.Queue()
        self._in_flight: set[tuple[str, str, str]] = set()
        self._idle = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        self._ready = asyncio.Queue()
        self._in_flight = set()
        async with Presence(self._dsn) as presence, asyncio.TaskGroup() as group:
            housekeeping = group.create_task(self._keep_house())
            committing = group.create_task(self._commit_groups())
            await self._claim_and_prepare(presence, group, stop)
            if self._in_flight:
                self._idle.clear()
                await self._idle.wait()
            housekeeping.cancel()
            committing.cancel()

    async def _claim_and_prepare(
        self, presence: Presence, group: asyncio.TaskGroup, stop: asyncio.Event
    ) -> None:
        while not stop.is_set():
            free = _IN_FLIGHT - len(self._in_flight)
            claimed = await self._claim(presence.owner, free) if free else []
            for each in claimed:
                self._in_flight.add(each.key)
                group.create_task(self._prepare(each))
            if not claimed or len(claimed) < free:
                await self._db.wakes.wait(WORK_WAKE, _POLL_SECONDS)

    async def _claim(self, owner: int, limit: int) -> list[Claimed]:
        async with self._db.transaction(durable=False) as session:
            return await self._streams.claim(session, owner, limit)

    async def _prepare(self, claimed: Claimed) -> None:
        try:
            if claimed.body is None:
                async with self._db.transaction() as session:
                    await self._streams.await_gap(session, claimed)
                self._let_go(claimed)
                return
            async with asyncio.timeout(PREPARE_SECONDS):
                ready = await self._material(claimed, claimed.body)
        except Exception as error:
            await self._fail(claimed, error)
            return
        await self._ready.put(ready)

    async def _material(self, claimed: Claimed, body: bytes) -> Ready:
        event = Event.model_validate_json(body)
        data = parse_data(event)
        handler = self._handlers.get(type(data)) if data is not None else None
        if data is None or handler is None:
            return Ready(claimed, event, None, None)
        return Ready(claimed, event, data, await handler.prepare(event, data))

    async def _commit_groups(self) -> None:
        while True:
            group = [await self._ready.get()]
            while len(group) < _GROUP and not self._ready.empty():
                group.append(self._ready.get_nowait())
            await self._apply_group(group)

    async def _apply_group(self, group: Sequence[Ready]) -> None:
        try:
            more = await self._apply(group)
        except Exception as error:
            if len(group) == 1:
                await self._fail(group[0].claimed, error)
                return
            for each in group:
                await self._apply_group([each])
            return
        for each in group:
            self._let_go(each.claimed)
        if more:
            self._db.wakes.wake_here(WORK_WAKE)

    async def _apply(self, group: Sequence[Ready]) -> int:
        """One transaction for the group. An event whose lease was lost is left to its new owner;
        so is one that an ambiguous commit finished after all, for its token is gone."""
        async with self._db.transaction() as session:
            held = await self._streams.lock(session, [each.claimed for each in group])
            keys = {each.key for each in held}
            metrics.LEASES_LOST.inc(len(group) - len(held))
            await self._hand_over(session, [each for each in group if each.claimed.key in keys])
            more = await self._streams.finish(session, held) if held else 0
            failpoint(f"{self._name}.work.before_commit")
        failpoint(f"{self._name}.work.after_commit")
        metrics.HANDLED.inc(len(held))
        return more

    async def _hand_over(self, session: Session, group: Sequence[Ready]) -> None:
        """Each to its handler; to a handler of batches everything that is its at once."""
        batches: dict[int, list[tuple[Event, EventData, Any]]] = {}
        handlers: dict[int, Handler[Any]] = {}
        for each in group:
            if each.data is not None:
                handler = self._handlers[type(each.data)]
                handlers[id(handler)] = handler
                batches.setdefault(id(handler), []).append((each.event, each.data, each.material))
        for key, batch in batches.items():
            handler = handlers[key]
            if isinstance(handler, BatchHandler):
                await handler.apply_all(session, batch)
                continue
            for event, data, material in batch:
                await handler.apply(session, event, data, material)

    async def _fail(self, claimed: Claimed, error: Exception) -> None:
        """Back this subject off, or park it. Its own transaction; the lease may be lost by now."""
        reason = type(error).__name__
        async with self._db.transaction() as session:
            if isinstance(error, Permanent | ValidationError):
                await self._streams.park(session, claimed, reason)
                metrics.PARKED.inc()
                log.error("subject_parked", service=self._name, topic=claimed.topic, reason=reason)
            else:
                wait = backoff(claimed.failures)
                await self._streams.back_off(session, claimed, wait, reason)
                log.warning("event_failed", service=self._name, topic=claimed.topic, error=reason)
        self._let_go(claimed)

    def _let_go(self, claimed: Claimed) -> None:
        full = len(self._in_flight) >= _IN_FLIGHT
        self._in_flight.discard(claimed.key)
        if not self._in_flight:
            self._idle.set()
        if full:
            self._db.wakes.wake_here(WORK_WAKE)

    async def _keep_house(self) -> None:
        prune_at = 0.0
        loop = asyncio.get_running_loop()
        while True:
            async with self._db.transaction() as session:
                if await self._streams.free_dead(session):
                    self._db.wakes.wake_here(WORK_WAKE)
            if loop.time() >= prune_at:
                await prune_inbox(self._db, self._tables)
                prune_at = loop.time() + _PRUNE_SECONDS
            await asyncio.sleep(_REAP_SECONDS)
