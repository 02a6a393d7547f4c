"""What notify does with the events it consumes."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.ext.asyncio import AsyncSession

from services.notify import store, task_store, tasks
from services.notify.attempts import DELIVER_WAKE
from services.notify.authority import today
from services.notify.directory import Directories
from services.notify.drafting import Clerk, Draft, Occasion, draft
from services.notify.fanout import Rulebook, route
from services.notify.intake_client import Intake, Projection
from services.notify.plan_events import events, tasks_for
from services.notify.planning import Plan, plan_version
from services.notify.rulebook import profiles
from services.notify.tasks import TaskKind
from shared.contracts.base import Event
from shared.contracts.deadlines import BreachCorrected, ClockBreached
from shared.contracts.referrals import ReferralAmended, ReferralReceived
from shared.messaging.outbox import Outbox
from shared.runtime.db import wake_after_commit
from shared.runtime.errors import Permanent
from shared.runtime.failpoints import failpoint
from shared.runtime.ids import utc_now

log = structlog.get_logger()

Clock = Callable[[], datetime]
ReferralVersion = ReferralReceived | ReferralAmended


class PlanReferral:
    """Plans one version of a referral: routes it, freezes the recipients, seals their copies."""

    def __init__(
        self,
        intake: Intake,
        rulebook: Rulebook,
        directories: Directories,
        clerk: Clerk,
        outbox: Outbox,
        clock: Clock = utc_now,
    ) -> None:
        self._intake = intake
        self._rulebook = rulebook
        self._directories = directories
        self._clerk = clerk
        self._outbox = outbox
        self._clock = clock

    async def prepare(self, event: Event, data: ReferralVersion) -> Projection:
        """Fetch the version, with every profile that a route of its trigger may need."""
        wanted = profiles(self._rulebook, data.trigger)
        projection = await self._intake.project(data.referral_id, data.version, wanted)
        announced = {child.child_id: child.ht_type for child in data.children}
        fetched = {child.child_id: child.facts.ht_type for child in projection.children}
        if announced != fetched or projection.trigger is not data.trigger:
            raise Permanent("intake's projection does not fit the event that announced it")
        return projection

    async def apply(
        self, session: AsyncSession, event: Event, data: ReferralVersion, material: Projection
    ) -> None:
        """1. Take the plan: handled twice, the second time ends here.
        2. Lock what earlier versions became, then decide.
        3. Insert, supersede, emit, and file tasks, all in the worker's transaction.
        """
        now = self._clock()
        directory = await self._directories.current(session)
        occasion = Occasion(
            data.referral_id, data.version, self._rulebook.version, directory.version, now
        )
        if not await store.take_plan(session, occasion):
            return
        history = await store.lock_history(session, data.referral_id) if data.version > 1 else []
        allowed = directory.samples() if material.synthetic else directory
        facts = [child.routing for child in material.children]
        routed = route(data.trigger, facts, allowed, self._rulebook, today(now))
        plan = plan_version(routed, history, allowed, today(now))
        await self._carry_out(session, plan, occasion, material, routed.unresolved)

    async def _carry_out(
        self,
        session: AsyncSession,
        plan: Plan,
        occasion: Occasion,
        projection: Projection,
        unresolved: tuple[str, ...],
    ) -> None:
        drafted = draft(plan, occasion)
        known = {}
        if occasion.version > 1:
            children = [child.child_id for child in projection.children]
            known = await store.child_keys(session, children)
        await store.supersede(session, plan, occasion)
        await store.insert_plan(session, self._clerk.rows(drafted, projection, known))
        await task_store.file_tasks(session, tasks_for(drafted, unresolved), occasion.now)
        await self._outbox.emit(session, occasion.now, *events(drafted))
        wake_after_commit(session, DELIVER_WAKE)
        _after_commit(session, drafted)


class FileBreach:
    """A clock ran out: a person looks, now."""

    def __init__(self, clock: Clock = utc_now) -> None:
        self._clock = clock

    async def prepare(self, event: Event, data: ClockBreached) -> None:
        return None

    async def apply(
        self, session: AsyncSession, event: Event, data: ClockBreached, material: Any
    ) -> None:
        await task_store.file_tasks(session, [tasks.breached(data)], self._clock())


class NoteCorrection:
    """The breach was none after all; whoever looks at its task must know."""

    async def prepare(self, event: Event, data: BreachCorrected) -> None:
        return None

    async def apply(
        self, session: AsyncSession, event: Event, data: BreachCorrected, material: Any
    ) -> None:
        note = tasks.breach_corrected_note(data)
        await task_store.add_note(session, TaskKind.BREACHED, data.clock_id, note)


def _after_commit(session: AsyncSession, drafted: Draft) -> None:
    """Log the plan once it stands. The fail points are the kill harness's."""
    failpoint("notify.plan.before_commit")

    def committed(_: object) -> None:
        failpoint("notify.plan.after_commit")
        log.info(
            "referral_planned",
            referral_id=drafted.occasion.referral_id,
            version=drafted.occasion.version,
            notices=len(drafted.told),
            refused=len(drafted.refused) + len(drafted.withheld),
            superseded=len(drafted.plan.ended) + len(drafted.plan.last_tries),
        )

    sqlalchemy_event.listen(session.sync_session, "after_commit", committed, once=True)
