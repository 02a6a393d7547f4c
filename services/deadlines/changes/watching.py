"""Every process goes over to a changed policy by itself, without a restart."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import date, datetime

import structlog

from services.deadlines.calendars import local_day
from services.deadlines.changes import store
from services.deadlines.keeper import Keeper
from services.deadlines.policy import Policy
from services.deadlines.policy_register import read_book
from shared.runtime.db import Database
from shared.runtime.ids import utc_now
from shared.runtime.lifecycle import sleep_unless

log = structlog.get_logger()

EVERY = 5.0
"""Seconds between two looks. What is approved begins a minute later at the soonest, so that every
process has it in its book before its first second."""
_REWOUND_AT_ONCE = 1000


class Watching:
    """Beside every process's roles: reads the book when there is an approval more, or a new day in
    Connecticut; and has running clocks go over to a policy that rewrites them."""

    def __init__(
        self,
        db: Database,
        files: Sequence[Policy],
        keeper: Keeper,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._db = db
        self._files = files
        self._keeper = keeper
        self._clock = clock
        self._seen: tuple[int, date] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            if not await self.look():
                await sleep_unless(stop, EVERY)

    async def look(self) -> bool:
        """True while there are clocks to go over."""
        now = self._clock()
        today = local_day(now)
        async with self._db.transaction() as session:
            seen = (await store.approvals(session), today)
            if seen != self._seen:
                self._keeper.use(await read_book(session, self._files, today))
                log.info("policies_read", approved=seen[0])
            more = await store.rewind(session, today, now, _REWOUND_AT_ONCE)
        self._seen = seen
        return more
