"""What deadlines does with the events it consumes: keep their facts, and fold."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, get_args

from services.deadlines import store
from services.deadlines.clocks import Clock
from services.deadlines.facts import Fact
from services.deadlines.keeper import Keeper
from services.deadlines.reading import FactBearing, facts_of
from shared.contracts.base import Event, EventData
from shared.messaging.handler import AtOnce, BatchHandler, Handler
from shared.runtime.db import Session, wake_after_commit
from shared.runtime.ids import utc_now

SWEEP_WAKE = "sweep"

_SOON = timedelta(seconds=1)
"""The sweeper polls this often: only what is due earlier need wake it."""


class KeepFacts(AtOnce, BatchHandler):
    """Keeps the facts of events and folds their referrals again.

    Facts are kept whether or not a clock exists yet: the topics race.
    """

    takes_runs = True

    def __init__(self, keeper: Keeper, clock: Callable[[], datetime] = utc_now) -> None:
        self._keeper = keeper
        self._clock = clock

    def material(self, event: Event, data: FactBearing) -> Sequence[Fact]:
        return facts_of(event.id, data)

    async def apply(
        self, session: Session, event: Event, data: FactBearing, material: Sequence[Fact]
    ) -> None:
        await self.apply_all(session, [(event, data, material)])

    async def apply_all(
        self, session: Session, batch: Sequence[tuple[Event, FactBearing, Sequence[Fact]]]
    ) -> None:
        now = self._clock()
        referral_ids = sorted({data.subject for _, data, _ in batch})
        facts = [fact for _, _, facts in batch for fact in facts]
        await store.hold_and_add(session, referral_ids, facts)
        folded = await self._keeper.fold(session, referral_ids)
        await self._keeper.write(session, folded.clocks, folded, now)
        if any(_soon(clock, now) for clock in folded.clocks):
            wake_after_commit(session, SWEEP_WAKE)


def handlers(keeper: Keeper) -> Mapping[type[EventData], Handler[Any]]:
    """One for every event that carries facts."""
    keep = KeepFacts(keeper)
    return dict.fromkeys(get_args(FactBearing), keep)


def _soon(clock: Clock, now: datetime) -> bool:
    return clock.look_at is not None and clock.look_at <= now + _SOON
