"""Paging: claims unacknowledged tasks, pages whoever is on call, and records what came of it."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, assert_never

import structlog

from services.notify.oncall import page_store, roster_store
from services.notify.oncall.escalation import (
    AGAIN_AFTER_FAILURE,
    OPERATIONS,
    Page,
    PageNow,
    PageOutcome,
    WaitUntil,
    next_step,
)
from services.notify.oncall.page_store import Claimed
from services.notify.oncall.pager import Alarm, Pager, PagerFailed
from services.notify.oncall.roster import Channel, ChannelKind, Roster
from shared.runtime import metrics
from shared.runtime.db import Database
from shared.runtime.failpoints import failpoint
from shared.runtime.ids import utc_now

log = structlog.get_logger()

MOST = 200
Ended = Sequence[tuple[Claimed, PageOutcome]]


class Paging:
    """`operations`: the last fallback's channels. `tasks_url`: a page's link, before the id."""

    def __init__(
        self,
        db: Database,
        pagers: Mapping[ChannelKind, Pager],
        operations: Sequence[Channel],
        tasks_url: str,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._db = db
        self._pagers = pagers
        self._operations = tuple(operations)
        self._tasks_url = tasks_url.rstrip("/")
        self._clock = clock

    async def once(self) -> int:
        """How many pages were claimed.

        1. Claim, in one commit: a page is a row per task, round and person, and never sent twice.
        2. Send, one message per person.
        3. Record. Whatever dies in between leaves pages `lost`, and the fallback is paged.
        """
        roster, claimed = await self._claim()
        if not claimed:
            return 0
        failpoint("notify.page.after_claim")
        by_person = defaultdict(list)
        for each in claimed:
            by_person[each.person].append(each)
        sent = await asyncio.gather(
            *(self._send(roster, person, pages) for person, pages in by_person.items())
        )
        failpoint("notify.page.after_send")
        ended = [each for some in sent for each in some]
        async with self._db.transaction() as session:
            await page_store.end(session, ended, self._clock())
        return len(claimed)

    async def _claim(self) -> tuple[Roster, list[Claimed]]:
        now = self._clock()
        async with self._db.transaction() as session:
            lost = await page_store.lose(session, now)
            due = await page_store.lock_due(session, MOST, now)
            roster = await roster_store.in_force(session, now)
            earlier = await page_store.pages_of(session, [row.task_id for row in due])
            pages, looks, nobody = [], [], 0
            for row in due:
                page, look_at, alone = self._step(roster, row, earlier.get(row.task_id, []), now)
                nobody += alone
                rounds = row.rounds if page is None else page.round
                looks.append((row.task_id, rounds, look_at))
                pages += [] if page is None else [page]
            await page_store.look_again(session, looks)
            claimed = await page_store.claim(session, pages, now)
        metrics.PAGES.labels(PageOutcome.LOST.value).inc(lost)
        metrics.NOBODY_ON_CALL.inc(nobody)
        return roster, claimed

    def _step(
        self, roster: Roster, row: Any, pages: Sequence[Page], now: datetime
    ) -> tuple[Claimed | None, datetime, bool]:
        """The page to claim, if one is due; when to look again; whether nobody was on call."""
        duty, operations = roster.duty(row.kind, row.desk), bool(self._operations)
        step = next_step(roster, duty, pages, now, operations=operations)
        match step:
            case WaitUntil(when):
                return None, when, False
            case PageNow(person=person) if person == OPERATIONS and not operations:
                # There is nowhere to send it: the task's age rings elsewhere.
                return None, now + AGAIN_AFTER_FAILURE, True
            case PageNow(person, nobody):
                begun = max((each.round for each in pages), default=0)
                claimed = Claimed(row.task_id, row.kind, row.created_at, begun + 1, person)
                # While it is being sent; then its outcome says when.
                return claimed, now + page_store.LEASE, nobody
            case _:
                assert_never(step)

    async def _send(self, roster: Roster, person: str, pages: Sequence[Claimed]) -> Ended:
        """Over every channel of theirs; taken when one of them has taken it."""
        alarms = [self._alarm(each) for each in pages]
        taken = await asyncio.gather(
            *(self._page(channel, alarms) for channel in self._channels(roster, person))
        )
        outcome = PageOutcome.TAKEN if any(taken) else PageOutcome.FAILED
        metrics.PAGES.labels(outcome.value).inc(len(pages))
        log.info("people_paged", count=len(pages), outcome=outcome.value)
        return [(each, outcome) for each in pages]

    def _channels(self, roster: Roster, person: str) -> Sequence[Channel]:
        if person == OPERATIONS:
            return self._operations
        return roster.people[person].channels

    async def _page(self, channel: Channel, alarms: Sequence[Alarm]) -> bool:
        pager = self._pagers.get(channel.kind)
        try:
            if pager is None:
                raise PagerFailed("NotConfigured")
            await pager.page(channel.to, alarms, self._clock())
        except PagerFailed as failed:
            log.warning("pager_failed", channel=channel.kind.value, reason=str(failed))
            return False
        except Exception as error:
            log.error("pager_failed", channel=channel.kind.value, error=error)
            return False
        return True

    def _alarm(self, page: Claimed) -> Alarm:
        link = f"{self._tasks_url}/{page.task_id}"
        return Alarm(page.task_id, page.kind, page.since, page.round, link)
