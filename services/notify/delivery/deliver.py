"""The deliver role: claims due deliveries, sends them, and records what became of each."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

import structlog

from services.notify.delivery import claim_store as delivery_store
from services.notify.delivery import tracks
from services.notify.delivery.attempts import DELIVER_WAKE, Attempt, Ended
from services.notify.delivery.claim_store import Claim
from services.notify.delivery.departing import Departing
from services.notify.delivery.lanes import Lanes, Slots
from services.notify.delivery.outcomes import NotSent, Obstacle, Outcome, Unknown
from services.notify.delivery.postroom import CannotPrepare, Postroom
from services.notify.delivery.recorder import Recorder
from services.notify.delivery.retry import verdict
from services.notify.delivery.sender import Letter, Sender
from services.notify.directory.endpoint_tls_store import transport_of
from services.notify.measuring import measure_first_attempts
from shared.messaging.leases import Presence
from shared.messaging.outbox import Outbox
from shared.runtime import pools, tracing
from shared.runtime.db import Database, unavailable
from shared.runtime.failpoints import failpoint
from shared.runtime.ids import utc_now
from shared.runtime.lifecycle import Role, sleep_unless
from shared.runtime.logging import where

log = structlog.get_logger()

_POLL_SECONDS = 1.0
_RECOVERY_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at a time, and for how long (seconds)."""

    slots: Slots = field(default_factory=lambda: Slots(first=64, retry=64))
    """Per agency: what an agency makes wait is its own."""
    in_flight: int = 512
    batch: int = 512
    """Of a claim: what was planned together leaves together, whose events then are fewer."""
    deadline: float = 10.0
    """Of an attempt, from its record to the end of the answer."""
    drain: float = 7.0
    """When stopped: what is in flight may end by itself, then it is broken off."""


DEFAULT_LIMITS = Limits()


def deliver_role(
    db: Database,
    dsn: str,
    outbox: Outbox,
    postroom: Postroom,
    open_sender: Callable[[], AbstractAsyncContextManager[Sender]],
    limits: Limits = DEFAULT_LIMITS,
    *,
    first: Callable[[], Awaitable[object]] | None = None,
) -> Role:
    """The role, for run_roles. `dsn`: the runtime role's, for the session that keeps our leases.
    `first`: before anything is claimed in a new session, for what answers there may be restored.
    """

    async def deliver(stop: asyncio.Event) -> None:
        async with open_sender() as sender:
            engine = Engine(db, dsn, outbox, postroom, sender, limits)
            await engine.run(stop, first)

    return deliver


class Engine:
    """One run of the role.

    1. Claim: due deliveries become attempts on record, in one transaction per batch. While that is
       made and committed the first letters are written, and thrown away if it fails.
    2. Send each on its own; nothing is sent that is not on record (P2).
    3. Record outcomes in groups; a slot is free once its outcome is committed.
    4. Beside it, declare `unknown` what dead owners have left open.
    """

    def __init__(
        self,
        db: Database,
        dsn: str,
        outbox: Outbox,
        postroom: Postroom,
        sender: Sender,
        limits: Limits,
    ) -> None:
        self._db = db
        self._dsn = dsn
        self._outbox = outbox
        self._postroom = postroom
        self._sender = sender
        self._limits = limits
        self._recorder = Recorder(db, outbox, self._free)
        self._lanes = Lanes(limits.slots, limits.in_flight)
        self._quiet = asyncio.Event()
        self._batch = limits.batch
        self._breaking_off = False
        pools.show("agencies", in_use=self._lanes.__len__, most=limits.in_flight)

    async def run(
        self, stop: asyncio.Event, first: Callable[[], Awaitable[object]] | None = None
    ) -> None:
        async with asyncio.TaskGroup() as group:
            beside = [
                group.create_task(self._recorder.run()),
                group.create_task(self._reclaim_forever()),
            ]
            while not stop.is_set():
                try:
                    await self._claim_as_one_owner(group, stop, first)
                except Exception as error:
                    log.warning("claim_failed", error=error, where=where(error))
                    # One that cannot be claimed must not hold up the others.
                    self._batch = self._limits.batch if unavailable(error) else 1
                    await sleep_unless(stop, _RECOVERY_SECONDS)
            await self._drain()
            for task in beside:
                task.cancel()

    async def _claim_as_one_owner(
        self,
        group: asyncio.TaskGroup,
        stop: asyncio.Event,
        first: Callable[[], Awaitable[object]] | None,
    ) -> None:
        """Until stopped, or until the session that keeps our leases is lost."""
        async with Presence(self._dsn) as presence:
            if first is not None:
                await first()
            while not stop.is_set():
                seen = self._lanes.busy
                claim = await self._claim(group, presence.owner, seen)
                again = self._lanes.claimed(claim.attempts, seen)
                if not again and (not claim.more or self._lanes.room <= 0):
                    await self._db.wakes.wait(DELIVER_WAKE, _POLL_SECONDS)
                self._batch = self._limits.batch

    async def _claim(
        self, group: asyncio.TaskGroup, owner: int, busy: Mapping[str, Slots]
    ) -> Claim:
        """A claim whose commit is in doubt is not sent, and is on record as not sent if it is on
        record at all."""
        deadline = asyncio.get_running_loop().time() + self._limits.deadline
        now = utc_now()
        claim: Claim | None = None
        departing = Departing(group, partial(self._deliver, deadline))
        try:
            async with self._db.transaction(planned_once=True) as session:
                claim = await delivery_store.claim(
                    session,
                    self._outbox,
                    owner=owner,
                    slots=self._limits.slots,
                    busy=busy,
                    batch=min(self._batch, self._lanes.room),
                    now=now,
                    deadline=now + timedelta(seconds=self._limits.deadline),
                    begin=departing.begin,
                )
                if claim.attempts:
                    failpoint("notify.deliver.before_claim_commit")
        except Exception:
            departing.drop()
            for attempt in claim.attempts if claim else ():
                self._recorder.put(_ended(attempt, NotSent(Obstacle.INTERRUPTED)))
            raise
        measure_first_attempts(claim.attempts, now)
        for attempt in claim.attempts:
            self._lanes.take(attempt)
        await departing.leave(claim.transports)
        return claim

    async def _deliver(self, deadline: float, attempt: Attempt, departing: Departing) -> None:
        letter = await self._written(attempt, deadline)
        transport = (await departing.confirmed()).get(attempt.agency_id)
        if transport is not None and not isinstance(letter, NotSent):
            letter = _over(transport, letter, attempt)
        failpoint("notify.deliver.after_claim")
        span = tracks.begin(attempt) if tracing.on() else None
        outcome = letter if isinstance(letter, NotSent) else await self._send(letter, attempt)
        failpoint("notify.deliver.after_post")
        ended = _ended(attempt, outcome)
        self._recorder.put(ended if span is None else tracks.end(span, attempt, ended))

    async def _written(self, attempt: Attempt, deadline: float) -> Letter | NotSent:
        try:
            return await self._postroom.letter(attempt, utc_now(), deadline)
        except CannotPrepare as error:
            return NotSent(error.obstacle)
        except Exception as error:
            log.error("letter_failed", notice=attempt.notice_id, error=error, where=where(error))
            return NotSent(Obstacle.UNSEALABLE)

    async def _send(self, letter: Letter, attempt: Attempt) -> Outcome:
        """A process that was frozen between claim and post finds itself too late, and sends
        nothing: by then the attempt may have been declared over."""
        if asyncio.get_running_loop().time() >= letter.deadline or self._breaking_off:
            return NotSent(Obstacle.INTERRUPTED)
        try:
            outcome = await self._sender.post(letter)
        except Exception as error:
            log.error("post_failed", notice=attempt.notice_id, error=error, where=where(error))
            return Unknown()
        return _ours(outcome) if self._breaking_off else outcome

    async def _reclaim_forever(self) -> None:
        while True:
            try:
                await self._recorder.reclaim()
            except Exception as error:
                log.warning("reclaim_failed", error=error, where=where(error))
            await asyncio.sleep(_POLL_SECONDS)

    async def _drain(self) -> None:
        if await self._all_recorded(self._limits.drain):
            return
        self._breaking_off = True
        self._sender.break_off()
        await self._all_recorded(1.0)

    async def _all_recorded(self, within: float) -> bool:
        self._quiet.clear()
        if not self._lanes:
            return True
        try:
            async with asyncio.timeout(within):
                await self._quiet.wait()
        except TimeoutError:
            return False
        return True

    def _free(self, group: Sequence[Ended]) -> None:
        """Their outcomes are committed. Wakes the claim where something waits for their places."""
        more = self._lanes.free(each.disclosure_id for each in group)
        if not self._lanes:
            self._quiet.set()
        if more:
            self._db.wakes.wake_here(DELIVER_WAKE)


def _over(transport: str, letter: Letter, attempt: Attempt) -> Letter | NotSent:
    try:
        return replace(letter, transport=transport_of(transport))
    except Exception as error:
        log.error("letter_failed", notice=attempt.notice_id, error=error, where=where(error))
        return NotSent(Obstacle.BAD_TRANSPORT)


def _ended(attempt: Attempt, outcome: Outcome) -> Ended:
    return Ended(
        disclosure_id=attempt.disclosure_id,
        notice_id=attempt.notice_id,
        agency_id=attempt.agency_id,
        outcome=outcome,
        at=utc_now(),
        verdict=verdict(outcome, attempt.probe),
        strained=attempt.strained,
        channel=attempt.channel,
        agency_kind=attempt.agency_kind,
    )


def _ours(outcome: Outcome) -> Outcome:
    """Broken off by us: it says nothing about the agency."""
    match outcome:
        case Unknown():
            return Unknown(ours=True)
        case NotSent(obstacle=Obstacle.UNREACHABLE):
            return NotSent(Obstacle.INTERRUPTED)
        case _:
            return outcome
