"""Keeps clocks as their facts have them, and says once what must be said of them (P6)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import Counter

from services.deadlines import history_store, store
from services.deadlines.book import PolicyBook
from services.deadlines.clocks import Announced, Clock, wind
from services.deadlines.history import Move
from services.deadlines.policy import Policy
from services.deadlines.sayings import (
    BREACHED,
    CORRECTED,
    approaching,
    approaching_event,
    breach_event,
    correction_event,
    in_turn,
    is_of,
    warning_of,
)
from shared.contracts.base import EventData
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
        self._outbox = outbox
        self.use(book)

    def use(self, book: PolicyBook) -> None:
        """Wind by this book from the next fold on. Whatever can be counted of its policies is
        counted from 0, so that an alert rule sees the first of each."""
        self._book = book
        for name in book.names():
            for counter in (metrics.CLOCKS_BREACHED, metrics.BREACHES_CORRECTED, metrics.WARNED):
                counter.labels(name)

    def warnings_left(self, clock: Clock) -> frozenset[int]:
        """Those that its policy has and that were not said, in minutes before the due time."""
        return frozenset(self.policy_of(clock).warnings) - clock.warned

    def policy_of(self, clock: Clock) -> Policy:
        """Raises UnknownPolicy."""
        return self._book.get((clock.policy, clock.policy_version))

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
        """Write what differs from what is stored, and emit breaches, corrections and warnings that
        are news, each with its clock in one transaction. How many breaches there were."""
        clocks = [clock.corrected(now) if clock.owes_correction else clock for clock in clocks]
        changed = [clock for clock in clocks if folded.stored.get(clock.clock_id) != clock]
        await store.save(session, changed)
        await history_store.add(session, list(_moves(changed, folded.stored, now)))
        said = [
            (clock, kind, announced)
            for clock in changed
            for kind, announced in _news(clock, folded.stored.get(clock.clock_id), now)
        ]
        heard = await store.announce(session, [(c.clock_id, kind, a) for c, kind, a in said])
        news = [(clock, kind) for clock, kind, _ in said if (clock.clock_id, kind) in heard]
        await self._outbox.emit(session, now, *self._events(news, now))
        breached = [clock for clock, kind in news if is_of(kind, BREACHED)]
        _count_after_commit(session, metrics.CLOCKS_BREACHED, breached)
        corrected = [clock for clock, kind in news if is_of(kind, CORRECTED)]
        _count_after_commit(session, metrics.BREACHES_CORRECTED, corrected)
        warned = [clock for clock, kind in news if warning_of(kind) is not None]
        _count_after_commit(session, metrics.WARNED, warned)
        return len(breached)

    def _events(self, news: Sequence[tuple[Clock, str]], now: datetime) -> Iterator[EventData]:
        for clock, kind in news:
            policy = self._book.get((clock.policy, clock.policy_version))
            if is_of(kind, BREACHED):
                yield breach_event(clock, policy)
            elif is_of(kind, CORRECTED):
                yield correction_event(clock, policy)
            elif (minutes := warning_of(kind)) is not None:
                yield approaching_event(clock, policy, minutes, now)


def _news(clock: Clock, before: Clock | None, now: datetime) -> Iterator[tuple[str, Announced]]:
    """What is to be said of a clock and was not said of it as it is stored; of several warnings
    the shortest, for the others were passed over."""
    if clock.breach and clock.breach != (before and before.breach):
        yield in_turn(BREACHED, clock.breach), clock.breach
    if clock.correction and clock.correction != (before and before.correction):
        yield in_turn(CORRECTED, clock.correction), clock.correction
    if warned := clock.warned - (before.warned if before else frozenset()):
        yield approaching(min(warned)), Announced(clock.standing.due_at, now)


def _moves(
    clocks: Sequence[Clock], stored: Mapping[str, Clock], now: datetime
) -> Iterator[tuple[str, Move]]:
    """By clock id, each due time that is another than the stored one."""
    for clock in clocks:
        if (before := stored.get(clock.clock_id)) is None:
            continue
        was, due_at = before.standing, clock.standing.due_at
        if was.due_at != due_at:
            yield clock.clock_id, Move(now, was.basis_at, was.due_at, due_at)


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
