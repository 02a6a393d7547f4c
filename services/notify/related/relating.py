"""Linked referrals: noted as intake links them, and told of to whoever was told of both."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import partial

import structlog

from services.notify.directory.authority import today
from services.notify.directory.in_force import Directories
from services.notify.directory.register import Directory
from services.notify.planning import history_store as notify_store
from services.notify.planning.carrying_out import carry_out
from services.notify.planning.drafting import Clerk, Heading, draft
from services.notify.planning.occasion import Occasion
from services.notify.planning.plan import Earlier, Plan
from services.notify.planning.relates import Relates
from services.notify.planning.series import related_series
from services.notify.related import store
from services.notify.related.rules import OF_ONE_MATTER, Side, of_the_same, plan_related
from services.notify.related.store import Due
from services.notify.routing.routes import Route
from services.notify.routing.rule import Rulebook
from services.notify.rulemaking.rulebooks import Rulebooks
from services.notify.stages import store as stage_store
from services.notify.stages.reading import latest_route
from services.notify.stages.store import Headed
from shared.contracts.base import Event
from shared.contracts.codes import Relation
from shared.contracts.referrals import ReferralLinked
from shared.messaging.handler import AtOnce
from shared.messaging.outbox import Outbox
from shared.runtime.db import Database, Session
from shared.runtime.ids import utc_now
from shared.runtime.lifecycle import Role, sleep_unless

log = structlog.get_logger()

_EVERY_SECONDS = 5.0


class NoteLinked(AtOnce):
    """Keeps a link. Whom it concerns is only known once both have been told to somebody."""

    async def apply(
        self, session: Session, event: Event, data: ReferralLinked, material: None
    ) -> None:
        if data.relation in OF_ONE_MATTER and (data.same or data.relation != Relation.SAME_CHILD):
            await store.link(session, data)


class Relating:
    """Plans related notices, one recipient of a link at a time, each in its own transaction."""

    def __init__(
        self,
        db: Database,
        directories: Directories,
        rulebooks: Rulebooks,
        clerk: Clerk,
        outbox: Outbox,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._db = db
        self._directories = directories
        self._rulebooks = rulebooks
        self._clerk = clerk
        self._outbox = outbox
        self._clock = clock

    async def once(self) -> int:
        """How many recipients were decided on. One of whom that fails stays due, and keeps none
        behind it from its turn."""
        decided = passed = 0
        while found := await self._due(passed):
            done = [await self._decided(each) for each in found]
            decided, passed = decided + sum(done), passed + len(done) - sum(done)
        return decided

    async def _due(self, passed: int) -> list[Due]:
        async with self._db.transaction() as session:
            return await store.due(session, self._clock(), passed)

    async def _decided(self, due: Due) -> bool:
        try:
            async with self._db.transaction() as session:
                await self._decide(session, due)
        except Exception as error:
            log.warning("related_not_planned", referral_id=due.referral_id, error=error)
            return False
        return True

    async def _decide(self, session: Session, due: Due) -> None:
        """1. Lock what both referrals became: no conflict is asserted in either meanwhile.
        2. Take the decision, and look again at what the recipient was told.
        3. Plan by the routes of today, and carry it out.
        """
        now = self._clock()
        ends = [due.referral_id, due.related_referral_id]
        history = await notify_store.lock_history(session, ends)
        headed = {end: await stage_store.headed(session, end) for end in ends}
        known = [(found.received_at, end, found) for end, found in headed.items() if found]
        assert len(known) == len(ends), "whoever is due was told of both"
        if await store.withdrawn(session, ends):
            return
        (_, first, one), (_, second, other) = sorted(known, key=lambda each: each[:2])
        if not await store.take(session, first, second, due.agency_id, now):
            return
        directory = await self._directories.current(session)
        book = await self._rulebooks.current(session)
        allowed = directory.samples if other.synthetic else directory
        seen = partial(self._side, session, due.agency_id, history, allowed, book, now)
        earlier, later = await seen(first, one), await seen(second, other)
        if due.relation is Relation.SAME_CHILD:
            earlier, later = of_the_same(earlier, later, due.same)
        relates = Relates(first, one.number, due.relation)
        plan = plan_related(due.agency_id, earlier, later, relates, allowed, today(now))
        series = related_series(first)
        occasion = Occasion(
            second, other.version, book.version, directory.version, now, series=series
        )
        await self._carry_out(session, plan, occasion, other)

    async def _carry_out(
        self, session: Session, plan: Plan, occasion: Occasion, headed: Headed
    ) -> None:
        drafted = draft(plan, Route((), (), ()), occasion)
        if not (drafted.told or drafted.withheld):
            return
        heading = Heading(headed.number, headed.trigger, headed.received_at, headed.synthetic)
        rows = self._clerk.bare_rows(drafted, heading)
        await carry_out(session, self._outbox, [drafted], [rows], occasion.now)

    async def _side(
        self,
        session: Session,
        agency_id: str,
        history: list[Earlier],
        directory: Directory,
        book: Rulebook,
        now: datetime,
        referral_id: str,
        headed: Headed,
    ) -> Side:
        told = await store.told(session, referral_id, agency_id)
        held = tuple(each for each in history if each.notice_id in told)
        found = await latest_route(session, referral_id, headed, directory, book, self._clerk, now)
        return Side(found, held)


def beside(work: Role, relating: Relating) -> Role:
    """The role, and beside it a look every few seconds for recipients of both of two referrals."""

    async def run(stop: asyncio.Event) -> None:
        looking = asyncio.create_task(_forever(relating, stop), name="related notices")
        try:
            await work(stop)
        finally:
            looking.cancel()
            await asyncio.wait((looking,))

    return run


async def _forever(relating: Relating, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await relating.once()
        except Exception as error:
            log.warning("related_not_planned", error=error)
        await sleep_unless(stop, _EVERY_SECONDS)
