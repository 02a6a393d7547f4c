"""Looking for children who turn 18 soon: a chore of the role sweep."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import date, datetime

import structlog

from services.intake.majority import store
from services.intake.majority.rules import is_near, local_day, month_of
from services.intake.majority.store import Look, Unlooked
from services.intake.sealed_notes import Notes
from services.intake.vault import Vault
from shared.contracts.referrals import MajorityNear
from shared.messaging.outbox import Outbox
from shared.runtime.db import Database
from shared.runtime.ids import utc_now
from shared.runtime.sealing import Unsealable

log = structlog.get_logger()

BATCH = 50
NEVER = "0000-00-00"
"""Noted where nothing was announced: as long as any date."""
REST_SECONDS = 600.0
"""Between two searches that found nothing left to look at."""


class MajorityWatch:
    """Opens each child's own document once a month and version, in memory, and announces, once
    per child and date of birth, that one of a foreign national is near its 18th birthday. What was
    announced is noted of every child alike, under its own seal."""

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
        self._notes = Notes(vault.sealer)
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
                looks = await asyncio.to_thread(self._looks, found, today)
                await store.looked(session, found, looks, month_of(today))
                events = _events(found, looks, now)
                await self._outbox.emit(session, now, *events)
        if len(found) < BATCH:
            self._resting_until = time.monotonic() + self._rest
        return len(found) == BATCH

    def _looks(self, children: Sequence[Unlooked], today: date) -> list[Look]:
        return [self._look(each, today) for each in children]

    def _look(self, each: Unlooked, today: date) -> Look:
        """What does not open holds up no other child."""
        try:
            ((_, document),) = self._vault.open([each.child], each.version)
            before = self._announced(each)
            near = is_near(document, today) and document["date_of_birth"] != before
            return Look(near, self._sealed(each, document["date_of_birth"] if near else before))
        except Unsealable:
            log.error("child_not_looked_at", referral_id=each.referral_id)
            return Look(announce=False, sealed=None)

    def _announced(self, each: Unlooked) -> str:
        """The date of birth that was announced the last time."""
        child = each.child
        if each.sealed is None:
            return NEVER
        noted = self._notes.open(child.key, "majority_looks", child.child_id, each.sealed)
        return str(noted["announced"])

    def _sealed(self, each: Unlooked, announced: str) -> bytes:
        child = each.child
        note = {"announced": announced}
        return self._notes.seal(child.key, "majority_looks", child.child_id, note)


def _events(
    children: Sequence[Unlooked], looks: Sequence[Look], now: datetime
) -> list[MajorityNear]:
    return [
        MajorityNear(referral_id=each.referral_id, child_id=each.child.child_id, noticed_at=now)
        for each, look in zip(children, looks, strict=True)
        if look.announce
    ]
