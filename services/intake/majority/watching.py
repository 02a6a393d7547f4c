"""Looking for children who turn 18 soon: a chore of the role sweep."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import date, datetime

import structlog

from services.intake.majority import store
from services.intake.majority.rules import is_near, local_day, month_of
from services.intake.majority.store import Unlooked
from services.intake.vault import Vault
from shared.contracts.referrals import MajorityNear
from shared.messaging.outbox import Outbox
from shared.runtime.db import Database
from shared.runtime.ids import utc_now
from shared.runtime.sealing import Unsealable

log = structlog.get_logger()

BATCH = 50
REST_SECONDS = 600.0
"""Between two searches that found nothing left to look at."""


class MajorityWatch:
    """Opens each child's own document once a month and version, in memory, and announces, once
    per child, that one of a foreign national is near its 18th birthday. Nothing else is kept."""

    def __init__(
        self,
        db: Database,
        outbox: Outbox,
        vault: Vault,
        clock: Callable[[], datetime] = utc_now,
        rest: float = REST_SECONDS,
    ) -> None:
        self._db = db
        self._outbox = outbox
        self._vault = vault
        self._clock = clock
        self._rest = rest
        self._resting_until = 0.0

    async def once(self) -> bool:
        """One batch of children. True if there may be more."""
        if time.monotonic() < self._resting_until:
            return False
        now = self._clock()
        today = local_day(now)
        async with self._db.transaction() as session:
            alone = await store.try_alone(session)
            found = await store.unlooked(session, month_of(today), BATCH) if alone else ()
            if found:
                near = await asyncio.to_thread(self._near, found, today)
                await store.looked(session, found, near, month_of(today), now)
                events = _events(found, near, now)
                await self._outbox.emit(session, now, *events)
        if len(found) < BATCH:
            self._resting_until = time.monotonic() + self._rest
        return len(found) == BATCH

    def _near(self, children: Sequence[Unlooked], today: date) -> list[bool]:
        return [self._is_near(each, today) for each in children]

    def _is_near(self, each: Unlooked, today: date) -> bool:
        """A document that does not open holds up no other child."""
        try:
            ((_, document),) = self._vault.open([each.child], each.version)
        except Unsealable:
            log.error("child_not_looked_at", referral_id=each.referral_id)
            return False
        return is_near(document, today)


def _events(
    children: Sequence[Unlooked], near: Sequence[bool], now: datetime
) -> list[MajorityNear]:
    return [
        MajorityNear(referral_id=each.referral_id, child_id=each.child.child_id, noticed_at=now)
        for each, is_so in zip(children, near, strict=True)
        if is_so
    ]
