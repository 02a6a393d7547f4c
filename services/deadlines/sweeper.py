"""The sweeper: looks at clocks when their time has come, and announces breaches (P6)."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, assert_never

import structlog

from services.deadlines import store, sweep_store
from services.deadlines.awaited import STREAMS, evidence_for
from services.deadlines.clocks import Clock
from services.deadlines.consumer import SWEEP_WAKE
from services.deadlines.keeper import Keeper
from services.deadlines.neighbours import Neighbours, Watermark
from services.deadlines.sweep_store import Due, Stream
from services.deadlines.timekeeper import Timekeeper
from services.deadlines.verdicts import Breach, Evidence, LookAgain, Rest, Warn, look
from shared.contracts.base import Source
from shared.runtime.db import Database, Session, unavailable
from shared.runtime.failpoints import failpoint
from shared.runtime.ids import utc_now
from shared.runtime.logging import where

log = structlog.get_logger()

Watermarks = Mapping[Source, Watermark | None]

LEASE = timedelta(seconds=8)
"""How long a taken clock is left to its sweeper; it asks the others within two of these seconds."""

_BATCH = 128
_POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep did."""

    taken: int
    breached: int


class Sweeper:
    """Looks at what is due, however many clocks are open.

    1. Take a batch of clocks whose time to look has come, and commit that.
    2. Ask the services that state facts how far theirs have come, outside any transaction.
    3. Under the referrals' and the clocks' locks: fold again, decide, write, emit, commit.

    What is held by a handler just then is left alone: the handler writes the clock, and with it
    the time to look. A sweeper that dies leaves its batch to the next one after LEASE.
    """

    def __init__(
        self,
        db: Database,
        keeper: Keeper,
        neighbours: Neighbours,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._db = db
        self._keeper = keeper
        self._neighbours = neighbours
        self._clock = clock

    async def run(self, stop: asyncio.Event) -> None:
        comparing = asyncio.create_task(self._neighbours.stay_compared())
        try:
            while not stop.is_set():
                swept = await self.sweep_once()
                if swept.taken < _BATCH:
                    await self._wait(stop)
        finally:
            await _cancelled(comparing)

    async def sweep_once(self) -> Swept:
        """One batch. Nothing due costs one query."""
        due = await self._take()
        if not due:
            return Swept(0, 0)
        referral_ids = sorted({each.referral_id for each in due})
        watermarks = await self._neighbours.watermarks(referral_ids)
        breached = await self._settle(due, watermarks)
        if breached:
            failpoint("deadlines.sweep.after_commit")
            log.warning("clocks_breached", count=breached)
        return Swept(len(due), breached)

    async def _settle(self, due: Sequence[Due], watermarks: Watermarks) -> int:
        """All in one transaction; if that fails, each referral in its own, so that one which
        cannot be folded holds up no other."""
        try:
            return await self._decide(due, watermarks)
        except Exception as error:
            if unavailable(error):
                raise
            referral_ids = {each.referral_id for each in due}
            if len(referral_ids) == 1:
                log.error("clocks_not_swept", error=error, where=where(error))
                return 0
        breached = 0
        for referral_id in sorted(referral_ids):
            own = [each for each in due if each.referral_id == referral_id]
            breached += await self._settle(own, watermarks)
        return breached

    async def _take(self) -> Sequence[Due]:
        async with self._db.transaction(durable=False) as session:
            now = await self._compared_now(session)
            return await sweep_store.claim_due(session, now, now + LEASE, _BATCH)

    async def _compared_now(self, session: Session) -> datetime:
        """What time it is, the database's clock being asked again: ours may jump at any moment,
        and so between the two transactions too."""
        if isinstance(self._clock, Timekeeper):
            self._clock.compare(await sweep_store.database_now(session))
        return self._clock()

    async def _decide(self, due: Sequence[Due], watermarks: Watermarks) -> int:
        """How many breaches were announced, and committed."""
        taken = {each.clock_id for each in due}
        async with self._db.transaction() as session:
            held = await store.try_hold_referrals(session, [each.referral_id for each in due])
            folded = await self._keeper.fold(session, held)
            evidence = await _evidence(session, held, watermarks)
            now = await self._compared_now(session)
            clocks = [
                self._decided(clock, evidence[clock.referral_id], now)
                if clock.clock_id in taken
                else clock
                for clock in folded.clocks
            ]
            breached = await self._keeper.write(session, clocks, folded, now)
            if breached:
                failpoint("deadlines.sweep.before_commit")
        return breached

    def _decided(self, clock: Clock, known: Mapping[Source, Evidence], now: datetime) -> Clock:
        if clock.synthetic:
            return clock
        evidence = evidence_for(self._keeper.policy_of(clock), known)
        pending = self._keeper.warnings_left(clock)
        verdict = look(clock.standing, clock.missed_at, clock.waiting_since, evidence, now, pending)
        match verdict:
            case Rest():
                return clock
            case LookAgain(at=at, since=since):
                return clock._replace(look_at=at, waiting_since=since)
            case Warn(warnings=warnings, at=at):
                return clock.warned_of(warnings, at)
            case Breach():
                return clock.breached(now)
            case _:
                assert_never(verdict)

    async def _wait(self, stop: asyncio.Event) -> None:
        """Until the next clock is due, a wake, or the poll that is the guarantee."""
        async with self._db.transaction() as session:
            next_look = await sweep_store.next_look(session)
        seconds = _POLL_SECONDS
        if next_look is not None:
            seconds = min(seconds, max(0.0, (next_look - self._clock()).total_seconds()))
        woken = asyncio.ensure_future(self._db.wakes.wait(SWEEP_WAKE, seconds))
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait((woken, stopped), return_when=asyncio.FIRST_COMPLETED)
        for task in (woken, stopped):
            await _cancelled(task)


async def _cancelled(task: asyncio.Future[Any]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _evidence(
    session: Session, referral_ids: Sequence[str], watermarks: Watermarks
) -> Mapping[str, Mapping[Source, Evidence]]:
    """What is known of facts still on their way, by referral and by whose they are."""
    streams = await sweep_store.streams_of(session, referral_ids, STREAMS)
    return {
        each: {
            source: _known(watermark, each, streams.get((each, source), Stream()))
            for source, watermark in watermarks.items()
        }
        for each in referral_ids
    }


def _known(watermark: Watermark | None, referral_id: str, stream: Stream) -> Evidence:
    """By sequence, which says of this referral whether all that was emitted is here; otherwise by
    the age of what has not left its service."""
    behind = stream.folded < stream.heard
    if watermark is None:
        return Evidence(None, behind)
    emitted = watermark.sequences.get(referral_id)
    if emitted is not None:
        return Evidence(watermark.now, behind or stream.folded < emitted)
    return Evidence(watermark.oldest_unrelayed_at or watermark.now, behind)
