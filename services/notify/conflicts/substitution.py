"""Who stands in for a recipient that may not be told after all, as a plan of its own (P3): at once
for one in conflict, for one that was refused once a person has told it."""

from collections.abc import Sequence, Set
from datetime import datetime
from typing import Any

from services.notify import shredding_store
from services.notify.conflicts import store as conflict_store
from services.notify.conflicts.found import Found, find, rerouted
from services.notify.conflicts.rules import replaces
from services.notify.conflicts.store import Conflict, SealedPart
from services.notify.delivery.attempts import DELIVER_WAKE
from services.notify.directory.in_force import Directories
from services.notify.planning import history_store as store
from services.notify.planning import store as plan_store
from services.notify.planning.drafting import Clerk, Heading
from services.notify.planning.occasion import Occasion, PlanRows, delivery_row
from services.notify.planning.plan import Earlier
from services.notify.routing.facts import Asserted, ReferralFacts
from services.notify.routing.facts_read import Facts
from services.notify.routing.fanout import route
from services.notify.rulemaking.rulebooks import Rulebooks
from services.notify.tasks import store as task_store
from services.notify.tasks import task as tasks
from shared.contracts.codes import Trigger
from shared.messaging.outbox import Outbox
from shared.runtime.db import Session, wake_after_commit


class Substitutes:
    """Holds legs and fills them. Its caller commits."""

    def __init__(
        self, directories: Directories, rulebooks: Rulebooks, clerk: Clerk, outbox: Outbox
    ) -> None:
        self._directories = directories
        self._rulebooks = rulebooks
        self._clerk = clerk
        self._outbox = outbox

    async def hold(self, session: Session, conflict: Conflict) -> None:
        """A conflict holds from this transaction's commit on, for every claim after it.

        1. Lock the referral's deliveries, then the agencies: what is claimed already is on record.
        2. Record it, and end what waits.

        Who stands in is planned by `fill`, once this is committed: nothing that may go wrong there
        undoes it.
        """
        now = conflict.asserted_at
        history = await store.lock_history(session, [conflict.referral_id])
        await conflict_store.hold_agencies(session, conflict.agency_ids)
        await conflict_store.insert(session, conflict)
        await conflict_store.end_waiting(session, conflict.referral_id, now)
        planned = {each.agency_id for each in history}
        filed = [
            tasks.conflict(conflict.referral_id, agency_id)
            for agency_id in conflict.agency_ids
            if agency_id in planned
        ]
        await task_store.file_tasks(session, filed, now)

    async def fill(
        self, session: Session, referral_id: str, history: Sequence[Earlier], now: datetime
    ) -> None:
        """Plan whoever stands in for notices to agencies in conflict, each of them once.

        `history`: every notice of the referral, locked. Of a child whose content was destroyed
        nobody can be told: that is a task.
        """
        directory = await self._directories.current(session)
        book = await self._rulebooks.current(session)
        gaps = await conflict_store.take_gaps(
            session, referral_id, book.version, directory.version, now
        )
        if not gaps:
            return
        lying = await conflict_store.sealed_parts(session, referral_id, gaps[0].version)
        destroyed = await shredding_store.destroyed(session, referral_id)
        parts = [part for part in lying if part.child_id not in destroyed]
        await self._plan(session, history, gaps, parts, now)
        await task_store.file_tasks(session, _unfilled(gaps, destroyed), now)

    async def stand_in(
        self, session: Session, child_id: str, agency_id: str, gaps: Sequence[Any], now: datetime
    ) -> bool:
        """Plan this one agency in place of recipients of one child that were refused (`gaps`), if
        the rules name it for one of them and nothing keeps it from being told.

        False: nobody was planned. So where a child's content was destroyed: who has a conflict of
        interest in the matter nobody can say any more.
        """
        directory = await self._directories.current(session)
        book = await self._rulebooks.current(session)
        mine = [gap for gap in gaps if replaces(agency_id, gap.agency_id, book, directory)]
        if not mine:
            return False
        referral_id = mine[0].referral_id
        history = await store.lock_history(session, [referral_id])
        if any(each.version > mine[0].version for each in history):
            return False  # Amended meanwhile: of that version one looks anew.
        parts = await conflict_store.sealed_parts(session, referral_id, mine[0].version)
        if await shredding_store.destroyed(session, referral_id):
            return False
        refused = frozenset(Asserted(gap.agency_id, child_id, alone=True) for gap in mine)
        found = await self._plan(session, history, mine, parts, now, refused, agency_id)
        return bool(found.new)

    async def _plan(
        self,
        session: Session,
        history: Sequence[Earlier],
        gaps: Sequence[Any],
        parts: Sequence[SealedPart],
        now: datetime,
        refused: Set[Asserted] = frozenset(),
        only: str | None = None,
    ) -> Found:
        """`refused`: who is to be stood in for beside those in conflict. `only`: by whom."""
        directory = await self._directories.current(session)
        book = await self._rulebooks.current(session)
        referral_id, version = gaps[0].referral_id, gaps[0].version
        conflicts = await conflict_store.in_force(session, referral_id)
        allowed = directory.samples if gaps[0].synthetic else directory
        facts = ReferralFacts(
            Trigger(gaps[0].trigger),
            gaps[0].received_at,
            tuple(self._facts(p, version).of(p.child_id) for p in parts if p.holds_facts),
            conflicts=conflicts | refused,
        )
        routed = route(facts, allowed, book, now)
        found = find(routed, history, version, parts, {gap.child_id for gap in gaps})
        if only is not None:
            found = found.of(only)
            if not found.new:
                return found
        occasion = Occasion(referral_id, version, book.version, directory.version, now)
        await plan_store.insert_plans(session, [self._rows(found, occasion, gaps[0], parts)])
        await self._outbox.emit(session, now, rerouted(found, gaps, occasion))
        wake_after_commit(session, DELIVER_WAKE)
        return found

    def _facts(self, part: SealedPart, version: int) -> Facts:
        opened = self._clerk.open_copy(part.key, part.child_id, version, part.profile, part.sealed)
        return Facts.model_validate(opened)

    def _rows(
        self, found: Found, occasion: Occasion, gap: Any, parts: Sequence[SealedPart]
    ) -> PlanRows:
        heading = Heading(gap.referral_number, Trigger(gap.trigger), gap.received_at, gap.synthetic)
        sealed = {(part.child_id, part.profile): part for part in parts}
        notices = []
        for notice_id, notice in found.new.items():
            part = sealed[notice.child_id, notice.profile or ""]
            copy = self._clerk.open_copy(
                part.key, part.child_id, occasion.version, part.profile, part.sealed
            )
            notices.append(self._clerk.notice_row(notice_id, notice, occasion, heading, copy))
        return PlanRows(
            child_keys=[],
            copies=[],
            notices=notices,
            deliveries=[delivery_row(id_, each, occasion) for id_, each in found.new.items()],
            refusals=[],
            stand_ins=[
                {"notice_id": each.notice_id, "role": role.value, "planned_at": occasion.now}
                for each, role in found.more
            ],
        )


def _unfilled(gaps: Sequence[Any], destroyed: Set[str]) -> list[tasks.NewTask]:
    return [
        tasks.nobody_stands_in(gap.referral_id, gap.notice_id, gap.agency_id)
        for gap in gaps
        if gap.child_id in destroyed
    ]
