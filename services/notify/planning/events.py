"""What planning tells the others, and what it asks of persons. Pure."""

from collections.abc import Iterator

from services.notify.conflicts.rules import Ground
from services.notify.planning.drafting import Draft
from services.notify.recalls import reminders
from services.notify.routing.routes import Suppressed
from services.notify.routing.rule import Effect
from services.notify.tasks import task as tasks
from services.notify.tasks.task import NewTask
from shared.contracts.base import EventData
from shared.contracts.codes import Stage
from shared.contracts.disclosures import DisclosuresRefused, RefusedDisclosure
from shared.contracts.notices import (
    NoticesPlanned,
    NoticesRefused,
    NoticesSuperseded,
    NoticesWithdrawn,
    PlannedNotice,
    RefusedNotice,
    SupersededNotice,
    WithdrawnNotice,
)


def events(draft: Draft) -> Iterator[EventData]:
    """The plan always; refusals and superseded notices when there are any.

    A supersession or a consult's outcome that may not be sent is a refused disclosure, but no
    clock's duty: it is not among the refused notices.
    """
    yield _planned(draft)
    if draft.refused and draft.occasion.stage is not Stage.CONSULT_SHARED:
        yield _refused(draft)
    if draft.plan.ended:
        withdraws = draft.occasion.stage is Stage.WITHDRAWN
        yield _withdrawn(draft) if withdraws else _superseded(draft)
    if draft.refused or draft.withheld:
        yield _disclosures_refused(draft)


def tasks_for(draft: Draft) -> list[NewTask]:
    referral_id, version = draft.occasion.referral_id, draft.occasion.version
    legs = [*draft.refused.items(), *draft.withheld.items()]
    filed = [tasks.refused(referral_id, notice_id, version, leg) for notice_id, leg in legs]
    filed += [tasks.unresolved_town(referral_id, c, draft.gaps[c]) for c in draft.unresolved]
    filed += [_left_out(referral_id, version, leg) for leg in draft.suppressed.values()]
    filed += [tasks.unnamed(referral_id, child) for child in draft.unnamed]
    asked = [each for each in draft.matters if each.effect is Effect.ASK]
    return filed + [tasks.question(referral_id, each) for each in asked]


def _left_out(referral_id: str, version: int, leg: Suppressed) -> NewTask:
    if leg.ground is Ground.TAKEN_BACK:
        return reminders.named_again(referral_id, leg.agency_id, version)
    return tasks.conflict(referral_id, leg.agency_id)


def _planned(draft: Draft) -> NoticesPlanned:
    """A notice that counts for two roles is listed under both."""
    occasion = draft.occasion
    return NoticesPlanned(
        referral_id=occasion.referral_id,
        version=occasion.version,
        stage=occasion.stage,
        rules_version=occasion.rules_version,
        directory_version=occasion.directory_version,
        planned_at=occasion.now,
        notices=tuple(
            PlannedNotice(
                notice_id=notice_id,
                child_id=notice.child_id,
                agency_id=notice.agency_id,
                role=notice.role,
                kind=notice.kind,
            )
            for notice_id, notice in draft.told.items()
        )
        + tuple(
            PlannedNotice(
                notice_id=notice_id,
                child_id=child_id,
                agency_id=agency_id,
                role=role,
                kind=draft.told[notice_id].kind,
            )
            for notice_id, child_id, agency_id, role in draft.stand_ins()
        ),
    )


def _refused(draft: Draft) -> NoticesRefused:
    return NoticesRefused(
        referral_id=draft.occasion.referral_id,
        version=draft.occasion.version,
        stage=draft.occasion.stage,
        refused_at=draft.occasion.now,
        notices=tuple(
            RefusedNotice(
                notice_id=notice_id,
                child_id=leg.child_id,
                agency_id=leg.agency_id,
                role=leg.role,
                reason=leg.reason,
            )
            for notice_id, leg in draft.refused.items()
        ),
    )


def _superseded(draft: Draft) -> NoticesSuperseded:
    return NoticesSuperseded(
        referral_id=draft.occasion.referral_id,
        superseded_by=draft.occasion.version,
        superseded_at=draft.occasion.now,
        notices=tuple(
            SupersededNotice(
                notice_id=each.notice_id,
                child_id=each.child_id,
                agency_id=each.agency_id,
                role=each.role,
                version=each.version,
            )
            for each in draft.plan.ended
        ),
    )


def _withdrawn(draft: Draft) -> NoticesWithdrawn:
    return NoticesWithdrawn(
        referral_id=draft.occasion.referral_id,
        withdrawn_at=draft.occasion.now,
        notices=tuple(
            WithdrawnNotice(
                notice_id=each.notice_id,
                child_id=each.child_id,
                agency_id=each.agency_id,
                role=each.role,
                version=each.version,
            )
            for each in draft.plan.ended
        ),
    )


def _disclosures_refused(draft: Draft) -> DisclosuresRefused:
    return DisclosuresRefused(
        referral_id=draft.occasion.referral_id,
        refused=tuple(
            RefusedDisclosure(
                notice_id=notice_id,
                child_id=leg.child_id,
                agency_id=leg.agency_id,
                role=leg.role,
                version=draft.occasion.version,
                reason=leg.reason,
                refused_at=draft.occasion.now,
            )
            for notice_id, leg in (*draft.refused.items(), *draft.withheld.items())
        ),
    )
