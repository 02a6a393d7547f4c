"""A conflict asserted after planning: who stands in, as a plan of its own (P3)."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.notify import shredding_store
from services.notify.conflicts import store as conflict_store
from services.notify.conflicts.store import Conflict, SealedPart
from services.notify.delivery.attempts import DELIVER_WAKE
from services.notify.directory.in_force import Directories
from services.notify.planning import history_store as store
from services.notify.planning import store as plan_store
from services.notify.planning.drafting import Clerk, Heading
from services.notify.planning.new_notice import NewNotice
from services.notify.planning.occasion import Occasion, PlanRows, delivery_row
from services.notify.planning.plan import RECEIVED, Earlier, notice_for
from services.notify.routing.facts import ReferralFacts
from services.notify.routing.facts_read import Facts
from services.notify.routing.fanout import route
from services.notify.routing.routes import Leg, Route
from services.notify.rulemaking.rulebooks import Rulebooks
from services.notify.tasks import store as task_store
from services.notify.tasks import task as tasks
from shared.contracts.codes import NoticeKind, Role, Trigger
from shared.contracts.notices import LeftNotice, NoticesRerouted, PlannedNotice
from shared.messaging.outbox import Outbox
from shared.runtime.db import Session, wake_after_commit
from shared.runtime.ids import new_id


@dataclass(frozen=True, slots=True)
class _Found:
    """What a referral version's plan has become: new notices, and old ones that count for more."""

    new: Mapping[str, NewNotice]
    more: Sequence[tuple[Earlier, Role]]


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
        version = gaps[0].version
        lying = await conflict_store.sealed_parts(session, referral_id, version)
        destroyed = await shredding_store.destroyed(session, referral_id)
        parts = [part for part in lying if part.child_id not in destroyed]
        conflicts = await conflict_store.in_force(session, referral_id)
        allowed = directory.samples if gaps[0].synthetic else directory
        facts = ReferralFacts(
            Trigger(gaps[0].trigger),
            gaps[0].received_at,
            tuple(self._facts(part, version).of(part.child_id) for part in _facts_of(parts, gaps)),
            conflicts=conflicts,
        )
        routed = route(facts, allowed, book, now)
        found = _find(routed, history, version, parts)
        occasion = Occasion(referral_id, version, book.version, directory.version, now)
        await plan_store.insert_plans(session, [self._rows(found, occasion, gaps[0], parts)])
        await task_store.file_tasks(session, _unfilled(gaps, destroyed), now)
        await self._outbox.emit(session, now, _event(found, gaps, occasion))
        wake_after_commit(session, DELIVER_WAKE)

    def _facts(self, part: SealedPart, version: int) -> Facts:
        opened = self._clerk.open_copy(part.key, part.child_id, version, part.profile, part.sealed)
        return Facts.model_validate(opened)

    def _rows(
        self, found: _Found, occasion: Occasion, gap: Any, parts: Sequence[SealedPart]
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


def _facts_of(parts: Sequence[SealedPart], gaps: Sequence[Any]) -> list[SealedPart]:
    children = {gap.child_id for gap in gaps}
    return [part for part in parts if part.holds_facts and part.child_id in children]


def _unfilled(gaps: Sequence[Any], destroyed: Set[str]) -> list[tasks.NewTask]:
    return [
        tasks.nobody_stands_in(gap.referral_id, gap.notice_id, gap.agency_id)
        for gap in gaps
        if gap.child_id in destroyed
    ]


def _find(
    routed: Route, history: Sequence[Earlier], version: int, parts: Sequence[SealedPart]
) -> _Found:
    """Nobody but substitutes is added, and nobody for whom no copy of this version was sealed:
    then the conflict's task is what remains."""
    sealed = {(part.child_id, part.profile) for part in parts}
    there: dict[Leg, Earlier] = {
        (each.child_id, each.agency_id): each
        for each in history
        if each.version == version
        and each.series == RECEIVED
        and each.kind is not NoticeKind.SUPERSESSION
    }
    new = {
        new_id("ntc"): notice_for(each, _before(history, each.leg, version))
        for each in routed.recipients
        if each.in_place and each.leg not in there and (each.child_id, each.profile) in sealed
    }
    counting = [(each.leg, each.role) for each in routed.stand_ins]
    counting += [(each.leg, each.role) for each in routed.recipients if each.in_place]
    more = [
        (there[leg], role) for leg, role in counting if leg in there and there[leg].role is not role
    ]
    return _Found(new, more)


def _before(history: Sequence[Earlier], leg: Leg, version: int) -> list[Earlier]:
    return [
        each
        for each in sorted(history, key=lambda each: each.version)
        if each.leg == leg and each.series == RECEIVED and each.version < version
    ]


def _event(found: _Found, gaps: Sequence[Any], occasion: Occasion) -> NoticesRerouted:
    new = [
        PlannedNotice(
            notice_id=notice_id,
            child_id=each.child_id,
            agency_id=each.agency_id,
            role=each.role,
            kind=each.kind,
        )
        for notice_id, each in found.new.items()
    ]
    more = [
        PlannedNotice(
            notice_id=each.notice_id,
            child_id=each.child_id,
            agency_id=each.agency_id,
            role=role,
            kind=each.kind,
        )
        for each, role in found.more
    ]
    return NoticesRerouted(
        referral_id=occasion.referral_id,
        version=occasion.version,
        rules_version=occasion.rules_version,
        directory_version=occasion.directory_version,
        rerouted_at=occasion.now,
        left=tuple(
            LeftNotice(
                notice_id=gap.notice_id,
                child_id=gap.child_id,
                agency_id=gap.agency_id,
                role=Role(gap.role),
                version=gap.version,
            )
            for gap in gaps
        ),
        notices=(*new, *more),
    )
