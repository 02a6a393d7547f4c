"""Keeps clocks as their facts have them, and says once what must be said of them (P6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import Counter

from services.deadlines import store
from services.deadlines.clocks import Announced, Clock, wind
from services.deadlines.policy import PolicyBook
from shared.messaging.outbox import Outbox
from shared.runtime import metrics
from shared.runtime.db import Session
from shared.runtime.ids import new_id


@dataclass(frozen=True, slots=True)
class Folded:
    """Clocks as their facts have them now, beside those stored, by clock id."""

    clocks: Sequence[Clock]
    stored: Mapping[str, Clock]


class Keeper:
    """Reads and writes clocks. Its caller holds their referrals (`store.hold_referrals`), and
    commits."""

    def __init__(self, book: PolicyBook, outbox: Outbox) -> None:
        self._book = book
        self._outbox = outbox

    async def fold(self, session: Session, referral_ids: Sequence[str]) -> Folded:
        """Lock every clock of these referrals, and make each again from all its facts."""
        running = await store.clocks_of(session, referral_ids, lock=True)
        facts = await store.facts_of(session, referral_ids)
        clocks = [
            clock
            for referral_id, known in facts.items()
            for clock in wind(self._book, known, running.get(referral_id, ()), _new_clock_id)
        ]
        return Folded(
            clocks, {clock.clock_id: clock for each in running.values() for clock in each}
        )

    async def write(
        self, session: Session, clocks: Sequence[Clock], folded: Folded, now: datetime
    ) -> int:
        """Write what differs from what is stored, and emit breaches and corrections that are news,
        each with its clock in one transaction. How many breaches there were."""
        clocks = [clock.corrected(now) if clock.owes_correction else clock for clock in clocks]
        changed = [clock for clock in clocks if folded.stored.get(clock.clock_id) != clock]
        await store.save(session, changed)
        breached = await self._announce(session, store.BREACHED, changed, folded)
        corrected = await self._announce(session, store.CORRECTED, changed, folded)
        events = [clock.breach_event() for clock in breached]
        await self._outbox.emit(
            session, now, *events, *(clock.correction_event() for clock in corrected)
        )
        _count_after_commit(session, metrics.CLOCKS_BREACHED, breached)
        _count_after_commit(session, metrics.BREACHES_CORRECTED, corrected)
        return len(breached)

    async def _announce(
        self, session: Session, kind: str, changed: Sequence[Clock], folded: Folded
    ) -> list[Clock]:
        """Those of these clocks of which a breach, or a correction, is news."""
        said = {}
        for clock in changed:
            before = folded.stored.get(clock.clock_id)
            announced = _announced(kind, clock)
            if announced and not (before and _announced(kind, before)):
                said[clock.clock_id] = announced
        news = await store.announce(session, kind, said)
        return [clock for clock in changed if clock.clock_id in news]


def _announced(kind: str, clock: Clock) -> Announced | None:
    return clock.breach if kind == store.BREACHED else clock.correction


def _new_clock_id() -> str:
    return new_id("clk")


def _count_after_commit(session: Session, metric: Counter, clocks: Sequence[Clock]) -> None:
    """Synthetic referrals are never counted."""
    counted = [clock.policy for clock in clocks if not clock.synthetic]
    if not counted:
        return

    def count() -> None:
        for policy in counted:
            metric.labels(policy).inc()

    session.after_commit(count)
