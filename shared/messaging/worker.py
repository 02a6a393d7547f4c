"""The worker: leases streams, prepares outside any transaction, applies inside one."""

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import timedelta

import structlog
from pydantic import ValidationError

from shared.messaging import traced
from shared.messaging.handover import Handlers, Prepared, Ready, hand_over
from shared.messaging.leases import Presence
from shared.messaging.preparing import prepare, ready_at_once
from shared.messaging.retention import prune_inbox
from shared.messaging.streams import LEASE, Claimed, Streams
from shared.messaging.tables import InboxTables
from shared.runtime import metrics, tracing
from shared.runtime.db import Database
from shared.runtime.errors import Permanent
from shared.runtime.failpoints import failpoint

log = structlog.get_logger()

WORK_WAKE = "work"
PREPARE_SECONDS = 10.0
"""For a stream's events in all. Its lease is thrice that."""

_UNTRACED = nullcontext()
_IN_FLIGHT = 256
_GROUP = 64
_POLL_SECONDS = 1.0
_REAP_SECONDS = 2.0
_PRUNE_SECONDS = 600.0
_FIRST_BACKOFF = timedelta(milliseconds=200)
_LONGEST_BACKOFF = timedelta(seconds=30)


def backoff(failures: int) -> timedelta:
    """How long a subject waits after its n-th failure in a row (n from 0): doubling to 30 s."""
    doubled: timedelta = _FIRST_BACKOFF * (1 << min(failures, 16))
    return min(doubled, _LONGEST_BACKOFF)


class Worker:
    """Works through one service's inbox: in order within a stream, streams side by side.

    1. Claim ready streams, as many as fit in flight, each with its next few events; or be handed
       what the consumer of this process has just received and leased.
    2. Prepare each on its own, bounded in time; a slow one holds up only itself. What waits for
       nothing is ready as it is leased.
    3. Apply whatever is ready in one transaction, cursors first; if that fails, one by one.
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
        self._disowned: dict[str, float] = {}
        self._presence: Presence | None = None
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self, stop: asyncio.Event) -> None:
        self._ready = asyncio.Queue()
        self._in_flight = set()
        async with Presence(self._dsn) as presence, asyncio.TaskGroup() as group:
            housekeeping = group.create_task(self._keep_house())
            committing = group.create_task(self._commit_groups())
            self._presence, self._tasks = presence, group
            try:
                await self._claim_and_prepare(presence, stop)
            finally:
                self._presence = None
            if self._in_flight:
                self._idle.clear()
                await self._idle.wait()
            housekeeping.cancel()
            committing.cancel()

    def owner_for(self, streams: int) -> int | None:
        """In whose name the consumer of this process may lease so many streams for us; None when
        we do not run, or have our hands full: they are claimed in their turn then."""
        if self._presence is None or len(self._in_flight) + streams > _IN_FLIGHT:
            return None
        return self._presence.owner if self._presence.alive else None

    def take(self, claimed: Sequence[Claimed]) -> None:
        """Begin with streams that were leased for us. Their commit has succeeded."""
        if self._tasks is None or self._presence is None:
            # We have left in the meantime; the next owner finds these leases dead.
            return
        for each in claimed:
            if (ready := ready_at_once(each, self._handlers)) is not None:
                self._ready.put_nowait(ready)
            elif not self._begin(each, self._tasks):
                return
            self._in_flight.add(each.key)

    def _begin(self, claimed: Claimed, tasks: asyncio.TaskGroup) -> bool:
        preparing = self._prepare(claimed)
        try:
            tasks.create_task(preparing)
        except RuntimeError:
            # The group is coming down, and our presence with it.
            preparing.close()
            return False
        return True

    def disown(self, token: str) -> None:
        """Leases under this token may have been made for us, and nobody will hand them over."""
        self._disowned[token] = asyncio.get_running_loop().time() + LEASE.total_seconds()

    def _still_disowned(self) -> list[str]:
        """Until they have run out: what made them may be running at the server yet."""
        now = asyncio.get_running_loop().time()
        self._disowned = {token: until for token, until in self._disowned.items() if until > now}
        return list(self._disowned)

    async def _claim_and_prepare(self, presence: Presence, stop: asyncio.Event) -> None:
        while not stop.is_set():
            # Below nothing when the consumer handed us more while we were claiming.
            free = max(0, _IN_FLIGHT - len(self._in_flight))
            claimed = await self._claim(presence.owner, free) if free else []
            self.take(claimed)
            if not claimed or len(claimed) < free:
                await self._db.wakes.wait(WORK_WAKE, _POLL_SECONDS)

    async def _claim(self, owner: int, limit: int) -> list[Claimed]:
        async with self._db.transaction(durable=False) as session:
            return await self._streams.claim(session, owner, limit)

    async def _prepare(self, claimed: Claimed) -> None:
        """Up to the first event that fails: it is tried again when it is the next one."""
        if not claimed.bodies:
            await self._await_gap(claimed)
            return
        events: list[Prepared] = []
        try:
            async with asyncio.timeout(PREPARE_SECONDS):
                await prepare(claimed, self._handlers, events)
        except Exception as error:
            if not events:
                await self._fail(claimed, error)
                return
        await self._ready.put(Ready(claimed.up_to(len(events)), events))

    async def _await_gap(self, claimed: Claimed) -> None:
        try:
            async with self._db.transaction() as session:
                await self._streams.await_gap(session, claimed)
        except Exception as error:
            await self._fail(claimed, error)
            return
        self._let_go(claimed)

    async def _commit_groups(self) -> None:
        while True:
            group = [await self._ready.get()]
            while len(group) < _GROUP and not self._ready.empty():
                group.append(self._ready.get_nowait())
            await self._apply_group(group)

    async def _apply_group(self, group: Sequence[Ready]) -> None:
        """What fails together is tried alone, and then only its first event: that one fails."""
        try:
            more = await self._apply(group)
        except Exception as error:
            if len(group) > 1:
                for each in group:
                    await self._apply_group([each])
            elif len(group[0].events) > 1:
                await self._apply_group([group[0].first_alone()])
            else:
                traced.end(group, error)
                await self._fail(group[0].claimed, error)
            return
        for each in group:
            self._let_go(each.claimed)
        if more:
            self._db.wakes.wake_here(WORK_WAKE)

    async def _apply(self, group: Sequence[Ready]) -> int:
        """One transaction for the group. A stream whose lease was lost is left to its new owner;
        so is one that an ambiguous commit finished after all, for its token is gone."""
        async with self._db.transaction() as session:
            held, more = await self._streams.finish(session, [each.claimed for each in group])
            keys = {each.key for each in held}
            metrics.LEASES_LOST.inc(len(group) - len(held))
            ours = [each for each in group if each.claimed.key in keys]
            with traced.carried(ours) if tracing.on() else _UNTRACED:
                await hand_over(session, ours, self._handlers)
            failpoint(f"{self._name}.work.before_commit")
        failpoint(f"{self._name}.work.after_commit")
        metrics.HANDLED.inc(sum(len(each.bodies) for each in held))
        if tracing.on():
            traced.end(ours)
        return more

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
                if await self._streams.free_dead(session, self._still_disowned()):
                    self._db.wakes.wake_here(WORK_WAKE)
            if loop.time() >= prune_at:
                await prune_inbox(self._db, self._tables)
                prune_at = loop.time() + _PRUNE_SECONDS
            await asyncio.sleep(_REAP_SECONDS)
