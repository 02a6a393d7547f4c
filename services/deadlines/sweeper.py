"""The sweeper: looks at clocks when their time has come, and announces breaches (P6)."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

import structlog

from services.deadlines import store, sweep_store
from services.deadlines.clocks import Clock
from services.deadlines.consumer import SWEEP_WAKE
from services.deadlines.keeper import Keeper
from services.deadlines.notify_client import Notify, Watermark
from services.deadlines.sweep_store import Due
from services.deadlines.timekeeper import Timekeeper
from services.deadlines.verdicts import Breach, Evidence, LookAgain, Rest, Warn, look
from shared.runtime.db import Database, Session, unavailable
from shared.runtime.failpoints import failpoint
from shared.runtime.ids import utc_now
from shared.runtime.logging import where

log = structlog.get_logger()

LEASE = timedelta(seconds=8)
"""How long a taken clock is left to its sweeper; it asks notify within two of these seconds."""

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
    2. Ask notify how far its facts have come, outside any transaction.
    3. Under the referrals' and the clocks' locks: fold again, decide, write, emit, commit.

    What is held by a handler just then is left alone: the handler writes the clock, and with it
    the time to look. A sweeper that dies leaves its batch to the next one after LEASE.
    """

    def __init__(
        self,
        db: Database,
        keeper: Keeper,
        notify: Notify,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._db = db
        self._keeper = keeper
        self._notify = notify
        self._clock = clock

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            swept = await self.sweep_once()
            if swept.taken < _BATCH:
                await self._wait(stop)

    async def sweep_once(self) -> Swept:
        """One batch. Nothing due costs one query."""
        due = await self._take()
        if not due:
            return Swept(0, 0)
        referral_ids = sorted({each.referral_id for each in due})
        watermark = await self._notify.watermark(referral_ids)
        breached = await self._settle(due, watermark)
        if breached:
            failpoint("deadlines.sweep.after_commit")
            log.warning("clocks_breached", count=breached)
        return Swept(len(due), breached)

    async def _settle(self, due: Sequence[Due], watermark: Watermark | None) -> int:
        """All in one transaction; if that fails, each referral in its own, so that one which
        cannot be folded holds up no other."""
        try:
            return await self._decide(due, watermark)
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
            breached += await self._settle(own, watermark)
        return breached

    async def _take(self) -> Sequence[Due]:
        async with self._db.transaction(durable=False) as session:
            if isinstance(self._clock, Timekeeper):
                self._clock.compare(await sweep_store.database_now(session))
            now = self._clock()
            return await sweep_store.claim_due(session, now, now + LEASE, _BATCH)

    async def _decide(self, due: Sequence[Due], watermark: Watermark | None) -> int:
        """How many breaches were announced, and committed."""
        taken = {each.clock_id for each in due}
        async with self._db.transaction() as session:
            held = await store.try_hold_referrals(session, [each.referral_id for each in due])
            folded = await self._keeper.fold(session, held)
            evidence = await _evidence(session, held, watermark)
            now = self._clock()
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

    def _decided(self, clock: Clock, evidence: Evidence, now: datetime) -> Clock:
        pending = self._keeper.warnings_left(clock)
        verdict = look(clock.standing, clock.missed_at, clock.waiting_since, evidence, now, pending)
        match verdict:
            case Rest():
                return clock
            case LookAgain(at=at, since=since):
                return replace(clock, look_at=at, waiting_since=since)
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
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _evidence(
    session: Session, referral_ids: Sequence[str], watermark: Watermark | None
) -> Mapping[str, Evidence]:
    """What is known of facts still on their way, by referral."""
    behind = await sweep_store.unfinished(session, referral_ids)
    if watermark is None:
        return {each: Evidence(None, each in behind) for each in referral_ids}
    folded = await sweep_store.finished_sequences(session, referral_ids)
    return {
        each: _known(watermark, each, folded.get(each, 0), each in behind) for each in referral_ids
    }


def _known(watermark: Watermark, referral_id: str, folded: int, behind: bool) -> Evidence:
    """By sequence, which says of this referral whether all that notify emitted is here; otherwise
    by the age of what has not left notify."""
    emitted = watermark.sequences.get(referral_id)
    if emitted is not None:
        return Evidence(watermark.now, behind or folded < emitted)
    return Evidence(watermark.oldest_unrelayed_at or watermark.now, behind)
