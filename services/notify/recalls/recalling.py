"""The units of work behind recalling and closing a notice. Whoever calls them commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.notify.conflicts import store as conflict_store
from services.notify.delivery.attempts import DELIVER_WAKE
from services.notify.directory.authority import today
from services.notify.directory.in_force import Directories
from services.notify.planning import history_store as notify_store
from services.notify.planning import store as plan_store
from services.notify.planning.drafting import Clerk, Heading, draft
from services.notify.planning.occasion import Occasion
from services.notify.planning.plan import Earlier, Plan
from services.notify.planning.series import stage_of
from services.notify.recalls import rules, store
from services.notify.recalls.reminders import taken_back
from services.notify.recalls.rules import NothingToRecall, NotNow, OverAlready, Recall
from services.notify.recalls.store import ClosingRow, RecallRow
from services.notify.routing.routes import Route
from services.notify.rulemaking.rulebooks import Rulebooks
from services.notify.stages import store as stage_store
from services.notify.stages.reading import latest_route
from services.notify.stages.store import Headed
from services.notify.tasks import store as task_store
from services.notify.tasks import task as tasks
from shared.contracts.base import EventData
from shared.contracts.disclosures import DisclosuresRefused, RefusedDisclosure
from shared.contracts.notices import (
    ClosedNotice,
    LeftNotice,
    NoticesClosed,
    NoticesRerouted,
    PlannedNotice,
)
from shared.messaging.outbox import Outbox
from shared.runtime.db import Session, wake_after_commit
from shared.runtime.ids import new_id

STOPPED_BY_RECALL = "recalled"
MISDIRECTED = "misdirected"
"""`conflicts.ground` of whoever was sent a notice by mistake."""


@dataclass(frozen=True, slots=True)
class Order:
    """A person's word: which notice, why, and when."""

    notice_id: str
    reason: str
    person: str
    now: datetime


class Recalling:
    """Takes back what went to the wrong recipient, and ends what need not arrive."""

    def __init__(
        self, directories: Directories, rulebooks: Rulebooks, clerk: Clerk, outbox: Outbox
    ) -> None:
        self._directories = directories
        self._rulebooks = rulebooks
        self._clerk = clerk
        self._outbox = outbox

    async def recall(
        self, session: Session, order: Order
    ) -> RecallRow | NotNow | NothingToRecall | None:
        """Once per notice: the same again is the same answer. None: there is no such notice.

        1. Lock the referral's deliveries: nothing of the leg begins, ends or is opened meanwhile.
        2. Record the incident; end the leg; what was disclosed stays on record.
        3. Ask for it back, if the recipient may lawfully be told even that; tell a person.

        What nobody has opened is ended alone: its recipient has nothing to give back.
        """
        referral_id = await store.referral_of(session, order.notice_id)
        if referral_id is None:
            return None
        history = await notify_store.lock_history(session, [referral_id])
        before = await store.read_recall(session, order.notice_id)
        if before is not None:
            return before
        headed = await stage_store.headed(session, referral_id)
        assert headed is not None
        directory = await self._directories.current(session)
        book = await self._rulebooks.current(session)
        allowed = directory.samples if headed.synthetic else directory
        route = await latest_route(
            session, referral_id, headed, allowed, book, self._clerk, order.now, given_back=False
        )
        wrong = next(each for each in history if each.notice_id == order.notice_id)
        found = rules.recall(wrong, history, route, allowed, today(order.now))
        if not isinstance(found, Recall):
            return found
        occasion = Occasion(
            referral_id,
            wrong.version,
            book.version,
            directory.version,
            order.now,
            series=rules.series(wrong.notice_id),
        )
        return await self._carry_out(session, order, wrong, found, occasion, headed)

    async def close(
        self, session: Session, order: Order
    ) -> ClosingRow | NotNow | OverAlready | None:
        """Once per notice: the same again is the same answer. None: there is no such notice."""
        referral_id = await store.referral_of(session, order.notice_id)
        if referral_id is None:
            return None
        history = await notify_store.lock_history(session, [referral_id])
        before = await store.read_closing(session, order.notice_id)
        if before is not None:
            return before
        notice = next(each for each in history if each.notice_id == order.notice_id)
        cannot = rules.close(notice)
        if cannot is not None:
            return cannot
        await self._close(session, [notice], order, order.reason)
        await self._outbox.emit(session, order.now, _closed([notice], order.now))
        return await store.read_closing(session, order.notice_id)

    async def _carry_out(
        self,
        session: Session,
        order: Order,
        wrong: Earlier,
        found: Recall,
        occasion: Occasion,
        headed: Headed,
    ) -> RecallRow:
        notices = () if found.notice is None else (found.notice,)
        refused = () if found.refused is None else (found.refused,)
        drafted = draft(Plan(notices, (), (), (), refused), Route((), (), ()), occasion)
        heading = Heading(headed.number, headed.trigger, headed.received_at, headed.synthetic)
        await plan_store.insert_plans(session, [self._clerk.bare_rows(drafted, heading)])
        asked = next(iter(drafted.told), None)
        row = RecallRow(
            wrong.notice_id, asked, order.reason, order.person, order.now, found.disclosed
        )
        await store.insert_recall(session, row)
        await store.end(session, [wrong.notice_id], order.now)
        await self._close(session, found.stopped, order, STOPPED_BY_RECALL)
        await conflict_store.insert(session, _held_back(wrong, order))
        task = _task(wrong, found, asked)
        await task_store.file_tasks(session, [task], order.now)
        said: list[EventData] = [_left(wrong, found, asked, occasion)]
        if found.stopped:
            said.append(_closed(found.stopped, order.now))
        said += [_withheld(id_, found, occasion) for id_ in drafted.withheld]
        await self._outbox.emit(session, order.now, *said)
        wake_after_commit(session, DELIVER_WAKE)
        return row

    async def _close(
        self, session: Session, notices: Sequence[Earlier], order: Order, reason: str
    ) -> None:
        ids = [each.notice_id for each in notices]
        if ids:
            await store.end(session, ids, order.now)
            await store.insert_closings(session, ids, reason, order.person, order.now)


def _held_back(wrong: Earlier, order: Order) -> conflict_store.Conflict:
    """No later version goes to it either, until two people lift this; who stands in is told."""
    return conflict_store.Conflict(
        assertion_id=new_id("ast"),
        referral_id=wrong.referral_id,
        child_id=wrong.child_id,
        agency_ids=(wrong.agency_id,),
        ground=MISDIRECTED,
        asserted_by=order.person,
        asserted_at=order.now,
    )


def _task(wrong: Earlier, found: Recall, asked: str | None) -> tasks.NewTask:
    if not found.disclosed:
        return taken_back(wrong.referral_id, wrong.notice_id, wrong.agency_id)
    return tasks.recalled(wrong.referral_id, wrong.notice_id, wrong.agency_id, asked is not None)


def _left(wrong: Earlier, found: Recall, asked: str | None, occasion: Occasion) -> NoticesRerouted:
    """The wrong recipient is no longer of its leg; the duty is as open as if it had not been."""
    left = LeftNotice(
        notice_id=wrong.notice_id,
        child_id=wrong.child_id,
        agency_id=wrong.agency_id,
        role=wrong.role,
        version=wrong.version,
    )
    planned = []
    if asked is not None and found.notice is not None:
        planned.append(
            PlannedNotice(
                notice_id=asked,
                child_id=wrong.child_id,
                agency_id=wrong.agency_id,
                role=wrong.role,
                kind=found.notice.kind,
            )
        )
    return NoticesRerouted(
        referral_id=occasion.referral_id,
        version=occasion.version,
        stage=stage_of(wrong.series),
        rules_version=occasion.rules_version,
        directory_version=occasion.directory_version,
        rerouted_at=occasion.now,
        left=(left,),
        notices=tuple(planned),
    )


def _closed(notices: Sequence[Earlier], now: datetime) -> NoticesClosed:
    return NoticesClosed(
        referral_id=notices[0].referral_id,
        notices=tuple(
            ClosedNotice(
                notice_id=each.notice_id,
                child_id=each.child_id,
                agency_id=each.agency_id,
                role=each.role,
                version=each.version,
                closed_at=now,
            )
            for each in notices
        ),
    )


def _withheld(notice_id: str, found: Recall, occasion: Occasion) -> DisclosuresRefused:
    assert found.refused is not None
    return DisclosuresRefused(
        referral_id=occasion.referral_id,
        refused=(
            RefusedDisclosure(
                notice_id=notice_id,
                child_id=found.refused.child_id,
                agency_id=found.refused.agency_id,
                role=found.refused.role,
                version=occasion.version,
                reason=found.refused.reason,
                refused_at=occasion.now,
            ),
        ),
    )
