"""The register of policy versions: what has been used stays as it was, and stays known."""

from collections.abc import Sequence
from datetime import date

from services.deadlines import store
from services.deadlines.book import PolicyBook
from services.deadlines.calendars import local_day
from services.deadlines.changes import store as changes
from services.deadlines.policy import Policy
from shared.runtime.db import Database, Session
from shared.runtime.errors import Misconfigured
from shared.runtime.ids import utc_now


async def open_book(db: Database, current: Sequence[Policy]) -> PolicyBook:
    """Register the policies of the files; the book of these, of those that two people approved,
    and of every version ever used.

    Raises Misconfigured when a registered version reads differently now: clocks run under it.
    """
    async with db.transaction() as session:
        await store.add_policies(session, current)
        used = await store.used_policies(session)
    registered = {policy.key: policy for policy in used}
    changed = [policy for policy in current if registered[policy.key] != policy]
    if changed:
        raise Misconfigured("\n".join(map(_mend, changed)))
    async with db.transaction() as session:
        return await read_book(session, current, local_day(utc_now()))


async def read_book(session: Session, files: Sequence[Policy], today: date) -> PolicyBook:
    """The book as it is on a day. What is approved for a later one is in it already: it governs
    what is received from then on, and takes no running clock over before."""
    added = await changes.approved(session)
    return PolicyBook([*files, *added], await store.used_policies(session), today)


def _mend(policy: Policy) -> str:
    return (
        f"The policy {policy.policy} is not what its version {policy.version} was when clocks "
        "began to run under it: put that text back, or give the new one a version of its own."
    )
