"""From drafts to the tables, the outbox and the tasks, in the caller's transaction."""

from collections.abc import Sequence
from datetime import datetime

import structlog

from services.notify.delivery.attempts import DELIVER_WAKE
from services.notify.matters import store as matter_store
from services.notify.planning import history_store as store
from services.notify.planning import store as plan_store
from services.notify.planning.drafting import Draft
from services.notify.planning.events import events, tasks_for
from services.notify.planning.occasion import PlanRows
from services.notify.tasks import store as task_store
from shared.contracts.codes import Stage
from shared.messaging.outbox import Outbox
from shared.runtime import metrics
from shared.runtime.db import Session, wake_after_commit
from shared.runtime.failpoints import failpoint

log = structlog.get_logger()


async def carry_out(
    session: Session,
    outbox: Outbox,
    drafts: Sequence[Draft],
    rows: Sequence[PlanRows],
    now: datetime,
) -> None:
    """End what is over, file tasks, insert what is new and tell of it. What ends is locked."""
    if not drafts:
        return
    await store.supersede(session, [d for d in drafts if not _withdraws(d)], now)
    await store.withdraw(session, [d for d in drafts if _withdraws(d)], now)
    await task_store.file_tasks(session, [t for each in drafts for t in tasks_for(each)], now)
    matters = [row for each in drafts for row in matter_store.rows(each)]
    said = [event for each in drafts for event in events(each)]
    await plan_store.insert_and_tell(session, outbox, rows, matters, said, now)
    wake_after_commit(session, DELIVER_WAKE)
    _after_commit(session, drafts)


def _withdraws(draft: Draft) -> bool:
    return draft.occasion.stage is Stage.WITHDRAWN


def _after_commit(session: Session, drafts: Sequence[Draft]) -> None:
    """Log the plans once they stand. The fail points are the kill harness's."""
    failpoint("notify.plan.before_commit")

    def committed() -> None:
        failpoint("notify.plan.after_commit")
        for each in drafts:
            _tell(each)

    session.after_commit(committed)


def _tell(drafted: Draft) -> None:
    counts = {
        "notices": len(drafted.told),
        "refused": len(drafted.refused) + len(drafted.withheld),
        "superseded": len(drafted.plan.ended) + len(drafted.plan.last_tries),
    }
    metrics.PLANNED.labels("told").inc(counts["notices"])
    metrics.PLANNED.labels("refused").inc(counts["refused"])
    metrics.PLANNED.labels("superseded").inc(counts["superseded"])
    occasion = drafted.occasion
    log.info(
        "referral_planned",
        referral_id=occasion.referral_id,
        version=occasion.version,
        **counts,
    )
