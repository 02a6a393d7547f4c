"""What notify does when a referral is amended, decided on, shared with the team or withdrawn.

An event may be prepared before the one ahead of it is applied, and then too little was fetched:
that comes to light when it is applied, and it is handed over once more (Retryable).
"""

from collections.abc import Sequence
from datetime import datetime

from services.notify.consumer import PlanReferral
from services.notify.directory.authority import today
from services.notify.planning import history_store as notify_store
from services.notify.planning.carrying_out import carry_out
from services.notify.planning.drafting import Heading, draft
from services.notify.planning.intake_client import Projection
from services.notify.planning.occasion import Occasion
from services.notify.planning.plan import WITHDRAWAL, Earlier
from services.notify.routing.routes import Route
from services.notify.stages import store
from services.notify.stages.planning import Material, Stages
from services.notify.stages.reading import latest_route
from services.notify.stages.store import Headed
from services.notify.stages.wishes import Wish, of_decision, of_share, of_version
from services.notify.stages.withdrawing import plan_withdrawal
from services.notify.tasks import store as task_store
from services.notify.tasks import task as tasks
from shared.contracts.base import Event
from shared.contracts.codes import Stage
from shared.contracts.referrals import (
    ConsultShareRequested,
    ReferralAmended,
    ReferralDecided,
    ReferralWithdrawn,
)
from shared.messaging.handler import AtOnce
from shared.runtime.db import Session
from shared.runtime.errors import Permanent, Retryable

Amendment = tuple[Projection | None, Material]
"""None: the content has been destroyed since, and nobody can be told."""


class PlanAmended:
    """A later version, and with it whatever later stages its referral has reached (P8)."""

    def __init__(self, planning: PlanReferral, stages: Stages) -> None:
        self._planning = planning
        self._stages = stages

    async def prepare(self, event: Event, data: ReferralAmended) -> Amendment:
        projection = await self._planning.prepare(event, data)
        if projection is None:
            return None, {}
        standing = await self._stages.standing(data.referral_id)
        return projection, await self._stages.fetch(of_version(data.version, standing))

    async def apply(
        self, session: Session, event: Event, data: ReferralAmended, material: Amendment
    ) -> None:
        projection, fetched = material
        await self._planning.apply(session, event, data, projection)
        if projection is None:
            return
        standing = await store.standing(session, data.referral_id)
        for wish in of_version(data.version, standing):
            off = await notify_store.superseded_legs(session, data.referral_id, data.version)
            await self._stages.plan(session, wish, _fetched(fetched, wish), off)


class PlanDecided:
    """Accepted: a plan of its own, beside the version's. Not accepted: nobody new is told (C11),
    and whoever was told of an acceptance hears of its reversal (C12)."""

    def __init__(self, stages: Stages) -> None:
        self._stages = stages

    async def prepare(self, event: Event, data: ReferralDecided) -> Material:
        standing = await self._stages.standing(data.referral_id)
        wish = of_decision(data, standing)
        return await self._stages.fetch([wish] if wish.tells else [])

    async def apply(
        self, session: Session, event: Event, data: ReferralDecided, material: Material
    ) -> None:
        standing = await store.standing(session, data.referral_id)
        if standing.withdrawn:
            return
        if standing.version is None:
            raise Permanent("a decision on a referral whose receipt was not planned")
        wish = of_decision(data, standing)
        if wish.tells:
            await self._stages.plan(session, wish, _fetched(material, wish))
        else:
            await self._stages.note(session, wish)


class PlanShared:
    """The outcome of a consult goes to every member of the team that is without a conflict."""

    def __init__(self, stages: Stages) -> None:
        self._stages = stages

    async def prepare(self, event: Event, data: ConsultShareRequested) -> Material:
        standing = await self._stages.standing(data.referral_id)
        return await self._stages.fetch([of_share(data, standing)])

    async def apply(
        self, session: Session, event: Event, data: ConsultShareRequested, material: Material
    ) -> None:
        standing = await store.standing(session, data.referral_id)
        if standing.withdrawn:
            task = tasks.shared_after_withdrawal(data.referral_id, data.share_id)
            await task_store.file_tasks(session, [task], self._stages.clock())
            return
        if standing.version is None:
            raise Permanent("a share of a referral whose receipt was not planned")
        if standing.of(data.share_id) is not None:
            return
        wish = of_share(data, standing)
        await self._stages.plan(session, wish, _fetched(material, wish))


class PlanWithdrawn(AtOnce):
    """Everybody who may hold a notice hears of it; nothing is planned afterwards. There is nothing
    to fetch: a withdrawal says its cause and nothing else (C14)."""

    def __init__(self, stages: Stages) -> None:
        self._stages = stages

    async def apply(
        self, session: Session, event: Event, data: ReferralWithdrawn, material: None
    ) -> None:
        """1. Take it: nothing is planned of this referral from here on.
        2. Lock what everybody was to be told, and plan by who may still lawfully be.
        3. Cancel what an error need not send, insert, emit.
        """
        now = self._stages.clock()
        standing = await store.standing(session, data.referral_id)
        version = max(data.version, standing.version or 0)
        if not await store.take_withdrawal(session, data, version, now):
            return
        history = await notify_store.lock_history(session, [data.referral_id])
        headed = await store.headed(session, data.referral_id)
        if headed is not None:
            await self._tell(session, data, version, history, headed, now)

    async def _tell(
        self,
        session: Session,
        data: ReferralWithdrawn,
        version: int,
        history: Sequence[Earlier],
        headed: Headed,
        now: datetime,
    ) -> None:
        stages = self._stages
        directory = await stages.directories.current(session)
        book = await stages.rulebooks.current(session)
        allowed = directory.samples if headed.synthetic else directory
        route = await latest_route(
            session, data.referral_id, headed, allowed, book, stages.clerk, now
        )
        plan = plan_withdrawal(data.cause, history, route, allowed, today(now))
        occasion = Occasion(
            data.referral_id,
            version,
            book.version,
            directory.version,
            now,
            Stage.WITHDRAWN,
            WITHDRAWAL,
        )
        drafted = draft(plan, Route((), (), ()), occasion)
        heading = Heading(headed.number, headed.trigger, headed.received_at, headed.synthetic)
        rows = stages.clerk.bare_rows(drafted, heading)
        await carry_out(session, stages.outbox, [drafted], [rows], now)
        await task_store.file_tasks(session, _untold(history, route), now)


def _untold(history: Sequence[Earlier], route: Route) -> list[tasks.NewTask]:
    """Of children whose content was destroyed nobody is told, not even of the withdrawal; nor of
    those that the referral no longer names beside them."""
    held = {(each.referral_id, each.child_id) for each in history if each.may_hold}
    return [
        tasks.withdrawal_untold(referral_id, child_id)
        for referral_id, child_id in sorted(held)
        if route.destroyed and child_id not in route.children
    ]


def _fetched(material: Material, wish: Wish) -> Projection:
    found = material.get(wish.key)
    if found is None:
        raise Retryable("prepared before the event ahead of it was applied")
    return found
