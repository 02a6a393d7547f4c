"""A recipient's own system says which notices it holds, and Hartline compares (P1).

A 2xx is the word of a web server. That the notice was kept is another matter: a disk was full, a
queue was lost, a load balancer answered for a server that was not there.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from services.notify.mailbox import receipt_store
from services.notify.mailbox.reminders import not_held
from services.notify.tasks import store as task_store
from shared.runtime.db import Session
from shared.runtime.ids import new_id
from shared.runtime.problem import Problem

MARGIN = timedelta(minutes=5)
"""How far its clock may differ from ours, and how long it may take to file a notice."""
LONGEST = timedelta(days=31)


async def take(
    session: Session,
    agency_id: str,
    since: datetime,
    until: datetime,
    notice_ids: Sequence[str],
    now: datetime,
) -> list[str]:
    """Keep a statement: it holds these, and no others that it took from `since` to `until`.

    The notices that its server answered for well within that time and that it never said it holds;
    of each a task is filed, once. Raises Problem (422).
    """
    if not since < until <= now + MARGIN or until - since > LONGEST:
        raise Problem(
            422,
            "Unprocessable Content",
            "`since` must be before `until`, at most 31 days, and `until` not in the future.",
        )
    await receipt_store.state(session, new_id("stm"), agency_id, (since, until), notice_ids, now)
    found = await receipt_store.missing(session, agency_id, since + MARGIN, until - MARGIN)
    tasks = [not_held(each.referral_id, each.notice_id, agency_id) for each in found]
    await task_store.file_tasks(session, tasks, now)
    return [each.notice_id for each in found]
