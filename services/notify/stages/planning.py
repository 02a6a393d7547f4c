"""Plans of the later stages: what was fetched becomes notices, in the caller's transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.notify import shredding_store
from services.notify.conflicts import store as conflict_store
from services.notify.directory.authority import today
from services.notify.directory.in_force import Directories
from services.notify.directory.register import Directory
from services.notify.planning import history_store as notify_store
from services.notify.planning.carrying_out import carry_out
from services.notify.planning.drafting import Clerk, Draft, draft
from services.notify.planning.intake_client import Content, ProjectedChild, Projection
from services.notify.planning.occasion import Occasion, PlanRows
from services.notify.planning.plan import Earlier, plan_version
from services.notify.routing.facts import Asserted, ReferralFacts
from services.notify.routing.fanout import route
from services.notify.routing.routes import Leg
from services.notify.routing.rule import Rulebook
from services.notify.rulemaking.rulebooks import Rulebooks
from services.notify.stages import fetching, store
from services.notify.stages.intake_client import StageIntake
from services.notify.stages.reversing import (
    after_reversal,
    as_withheld,
    without_repeated_supersessions,
)
from services.notify.stages.store import SealedCopy
from services.notify.stages.wishes import Standing, Wish
from shared.contracts.codes import Stage
from shared.messaging.outbox import Outbox
from shared.runtime.db import Database, Session
from shared.runtime.ids import utc_now
from shared.runtime.sealing import WrappedKey

Material = Mapping[tuple[str, int, int], Projection]
"""By the key of the wish that it was fetched for."""


@dataclass(frozen=True, slots=True)
class _Ground:
    """What a plan of one stage rests on."""

    wish: Wish
    projection: Projection
    history: Sequence[Earlier]
    conflicts: frozenset[Asserted]
    destroyed: frozenset[str]
    occasion: Occasion


class Stages:
    """Fetches for plans of later stages, and makes them. Whoever calls it commits."""

    def __init__(
        self,
        db: Database,
        intake: StageIntake,
        rulebooks: Rulebooks,
        directories: Directories,
        clerk: Clerk,
        outbox: Outbox,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._db = db
        self._intake = intake
        self.rulebooks = rulebooks
        self.directories = directories
        self.clerk = clerk
        self.outbox = outbox
        self.clock = clock

    async def standing(self, referral_id: str) -> Standing:
        """As it is before an event is applied: what was fetched for less is fetched again."""
        async with self._db.transaction() as session:
            return await store.standing(session, referral_id)

    async def fetch(self, wishes: Sequence[Wish]) -> Material:
        book = self.rulebooks.latest
        return {wish.key: await fetching.fetch(self._intake, book, wish) for wish in wishes}

    async def note(self, session: Session, wish: Wish) -> None:
        """Only that it was decided: nobody is told, and no earlier decision counts after it."""
        directory = await self.directories.current(session)
        book, now = await self.rulebooks.current(session), self.clock()
        await store.take(session, wish, book.version, directory.version, now)

    async def plan(
        self,
        session: Session,
        wish: Wish,
        projection: Projection,
        told: frozenset[Leg] = frozenset(),
    ) -> None:
        """Once per wish, however often it is asked for, and never after a later one.

        1. Take the plan, and lock what earlier ones became.
        2. Route the stage and compare; a reversal adds nobody.
        3. Carry it out, with the copies that are sealed of this version already.

        `told`: who hears by another plan of this transaction that it is off the route.
        """
        now = self.clock()
        directory = await self.directories.current(session)
        book = await self.rulebooks.current(session)
        if not await store.take(session, wish, book.version, directory.version, now):
            return
        ground = _Ground(
            wish=wish,
            projection=projection,
            history=await notify_store.lock_history(session, [wish.referral_id]),
            conflicts=await conflict_store.in_force(session, wish.referral_id),
            destroyed=await shredding_store.destroyed(session, wish.referral_id),
            occasion=Occasion(
                wish.referral_id,
                wish.version,
                book.version,
                directory.version,
                now,
                wish.stage,
                wish.series,
                wish.revision,
            ),
        )
        drafted = self._draft(ground, directory, book, told)
        rows = await self._rows(session, drafted, projection)
        await carry_out(session, self.outbox, [drafted], [rows], now)

    def _draft(
        self, ground: _Ground, directory: Directory, book: Rulebook, told: frozenset[Leg]
    ) -> Draft:
        wish, projection = ground.wish, ground.projection
        allowed = directory.samples if projection.synthetic else directory
        facts = ReferralFacts(
            projection.trigger,
            projection.received_at,
            tuple(child.routing for child in projection.children),
            wish.stage,
            ground.conflicts,
        )
        now = ground.occasion.now
        routed = route(facts, allowed, book, now)
        # Of the towns a person was asked when the version itself was planned.
        routed = replace(routed, unresolved=(), unnamed=(), destroyed=ground.destroyed)
        if not wish.accepted:
            routed = after_reversal(routed, ground.history)
        plan = plan_version(routed, ground.history, allowed, today(now), wish.series)
        if not wish.accepted:
            plan = as_withheld(plan)
        if wish.stage is Stage.CONSULT_SHARED:
            plan = without_repeated_supersessions(plan, told)
        return draft(plan, routed, ground.occasion)

    async def _rows(self, session: Session, drafted: Draft, projection: Projection) -> PlanRows:
        children = [child.child_id for child in projection.children]
        keys = await notify_store.child_keys(session, children)
        lying = await store.sealed_copies(session, children, projection.version)
        sealed = {(each.child_id, each.profile): each for each in lying}
        known = projection.model_copy(
            update={
                "children": tuple(
                    self._as_sealed(c, sealed, keys, projection.version)
                    for c in projection.children
                )
            }
        )
        rows = self.clerk.rows(drafted, known, keys)
        new = [row for row in rows.copies if (row["child_id"], row["profile"]) not in sealed]
        return replace(rows, copies=new)

    def _as_sealed(
        self,
        child: ProjectedChild,
        sealed: Mapping[tuple[str, str], SealedCopy],
        keys: Mapping[str, WrappedKey],
        version: int,
    ) -> ProjectedChild:
        """With what lies sealed of this version, so that its notice commits to that."""
        copies: dict[str, Content] = dict(child.copies)
        for name in child.copies:
            box = sealed.get((child.child_id, name))
            if box is not None:
                copies[name] = self.clerk.open_copy(
                    keys[child.child_id], child.child_id, version, name, box.sealed
                )
        return child.model_copy(update={"copies": copies})
