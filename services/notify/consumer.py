"""What notify does with the events it consumes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog

from services.notify import shredding_store
from services.notify.directory.authority import today
from services.notify.directory.in_force import Directories
from services.notify.directory.register import Directory
from services.notify.measuring import measure_plans
from services.notify.planning import history_store as store
from services.notify.planning.carrying_out import carry_out
from services.notify.planning.drafting import Clerk, Draft, draft
from services.notify.planning.intake_client import Intake, Projection
from services.notify.planning.occasion import Occasion
from services.notify.planning.plan import plan_version
from services.notify.related.silencing import silence
from services.notify.routing.facts import Asserted, ReferralFacts
from services.notify.routing.fanout import route
from services.notify.routing.routes import Route
from services.notify.routing.rule import Rulebook
from services.notify.routing.rulebook import further_profiles, profiles
from services.notify.rulemaking.rulebooks import Rulebooks
from services.notify.tasks import clock_store, clock_tasks
from services.notify.tasks import store as task_store
from services.notify.tasks import task as tasks
from shared.contracts.base import Event
from shared.contracts.codes import Stage
from shared.contracts.deadlines import BreachCorrected, ClockApproaching, ClockBreached
from shared.contracts.referrals import MajorityNear, ReferralAmended, ReferralReceived
from shared.messaging.handler import AtOnce, BatchHandler
from shared.messaging.outbox import Outbox
from shared.runtime.db import Session
from shared.runtime.errors import Gone, Permanent, Retryable
from shared.runtime.ids import utc_now
from shared.runtime.sealing import WrappedKey

log = structlog.get_logger()

Clock = Callable[[], datetime]
ReferralVersion = ReferralReceived | ReferralAmended


class PlanReferral(BatchHandler):
    """Plans versions of referrals: routes each, freezes its recipients, seals their copies."""

    def __init__(
        self,
        intake: Intake,
        rulebooks: Rulebooks,
        directories: Directories,
        clerk: Clerk,
        outbox: Outbox,
        clock: Clock = utc_now,
    ) -> None:
        self._intake = intake
        self._rulebooks = rulebooks
        self._directories = directories
        self._clerk = clerk
        self._outbox = outbox
        self._clock = clock

    async def prepare(self, event: Event, data: ReferralVersion) -> Projection | None:
        """Fetch the version, with every profile that a route of its trigger needs, and once more
        what its facts call for beyond that. None: its content has been destroyed since."""
        try:
            return await self._fetch(data)
        except Gone:
            return None

    async def _fetch(self, data: ReferralVersion) -> Projection:
        book = self._rulebooks.latest
        wanted = profiles(book, data.trigger)
        projection = await self._intake.project(data.referral_id, data.version, wanted)
        facts = [child.routing for child in projection.children]
        if further := further_profiles(book, data.trigger, Stage.RECEIVED, facts):
            more = await self._intake.project(data.referral_id, data.version, further)
            projection = projection.with_copies_of(more)
        announced = {
            child.child_id: child.ht_type
            for child in data.children
            if child.child_id not in projection.shredded
        }
        fetched = {child.child_id: child.facts.ht_type for child in projection.children}
        if announced != fetched or projection.trigger is not data.trigger:
            raise Permanent("intake's projection does not fit the event that announced it")
        return projection

    async def apply(
        self, session: Session, event: Event, data: ReferralVersion, material: Projection | None
    ) -> None:
        await self.apply_all(session, [(event, data, material)])

    async def apply_all(
        self,
        session: Session,
        batch: Sequence[tuple[Event, ReferralVersion, Projection | None]],
    ) -> None:
        """1. Take the plans: what was planned before is done, and left out.
        2. Lock what earlier versions became, then decide, each referral for itself.
        3. Insert, supersede, emit, and file tasks, all in the worker's transaction.
        """
        now = self._clock()
        book = await self._rulebooks.current(session)
        announced = [(d.referral_id, d.version, e.time) for e, d, _ in batch]
        taken = await store.take_plans(session, announced, book.version, now)
        if taken is None:
            return
        directory = await self._directories.seen(session, taken.directory_version)
        fresh = [each for each in batch if each[1].referral_id in taken.conflicts]
        projections = [found for _, _, found in fresh if found is not None]
        gone = [tasks.nobody_told(d.referral_id, d.version) for _, d, m in fresh if m is None]
        await task_store.file_tasks(session, gone, now)
        later = [each.referral_id for each in projections if each.version > 1]
        children = [c.child_id for each in projections if each.version > 1 for c in each.children]
        known = await store.child_keys(session, children) if later else {}
        destroyed = await shredding_store.destroyed_in(session, later) if later else {}
        history = await store.lock_history(session, later) if later else []
        drafts = []
        rules = book.version, directory.version
        for each in projections:
            before = [one for one in history if one.referral_id == each.referral_id]
            occasion = Occasion(each.referral_id, each.version, *rules, now)
            conflicts = taken.conflicts[each.referral_id]
            allowed = directory.samples if each.synthetic else directory
            gone_of = destroyed.get(each.referral_id, frozenset())
            routed = _route(each, allowed, book, occasion, conflicts, gone_of)
            if before:
                await silence(session, each.referral_id, routed, allowed, now)
            plan = plan_version(routed, before, allowed, today(now))
            drafts.append(draft(plan, routed, occasion))
        await self._carry_out(session, drafts, projections, known, now)
        measure_plans(session, [event for event, _, _ in fresh], now)

    async def _carry_out(
        self,
        session: Session,
        drafts: Sequence[Draft],
        projections: Sequence[Projection],
        known: Mapping[str, WrappedKey],
        now: datetime,
    ) -> None:
        try:
            rows = [
                self._clerk.rows(each, projection, known)
                for each, projection in zip(drafts, projections, strict=True)
            ]
        except KeyError:
            raise Retryable("other rules came into force since it was prepared") from None
        await carry_out(session, self._outbox, drafts, rows, now)


def _route(
    projection: Projection,
    directory: Directory,
    book: Rulebook,
    occasion: Occasion,
    conflicts: frozenset[Asserted],
    destroyed: frozenset[str],
) -> Route:
    facts = ReferralFacts(
        projection.trigger,
        projection.received_at,
        tuple(child.routing for child in projection.children),
        conflicts=conflicts,
    )
    return replace(route(facts, directory, book, occasion.now), destroyed=destroyed)


class FileBreach(AtOnce):
    """A clock ran out: a person looks, now."""

    def __init__(self, clock: Clock = utc_now) -> None:
        self._clock = clock

    async def apply(
        self, session: Session, event: Event, data: ClockBreached, material: Any
    ) -> None:
        filed = clock_tasks.breached(data)
        await clock_store.file(session, filed, data, self._clock(), apart=data.turn > 1)


class FileApproaching(AtOnce):
    """A clock is about to run out: a person can still prevent it."""

    def __init__(self, clock: Clock = utc_now) -> None:
        self._clock = clock

    async def apply(
        self, session: Session, event: Event, data: ClockApproaching, material: Any
    ) -> None:
        await clock_store.file(session, clock_tasks.approaching(data), data, self._clock())


class FileMajority(AtOnce):
    """A child turns 18 soon: a person sees to what must be asked before."""

    def __init__(self, clock: Clock = utc_now) -> None:
        self._clock = clock

    async def apply(
        self, session: Session, event: Event, data: MajorityNear, material: Any
    ) -> None:
        await task_store.file_tasks(session, [clock_tasks.majority_near(data)], self._clock())


class NoteCorrection(AtOnce):
    """The breach was none after all; whoever looks at its task must know."""

    async def apply(
        self, session: Session, event: Event, data: BreachCorrected, material: Any
    ) -> None:
        note = clock_tasks.breach_corrected_note(data)
        about = clock_tasks.about_breach(data)
        await clock_store.note(session, data, about, note)
