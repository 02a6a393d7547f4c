"""The register of policy versions: what has been used stays as it was, and stays known."""

from collections.abc import Sequence

from services.deadlines import store
from services.deadlines.book import PolicyBook
from services.deadlines.policy import Policy
from shared.runtime.db import Database
from shared.runtime.errors import Misconfigured


async def open_book(db: Database, current: Sequence[Policy]) -> PolicyBook:
    """Register the policies of the files; the book of these and of every version ever used.

    Raises Misconfigured when a registered version reads differently now: clocks run under it.
    """
    async with db.transaction() as session:
        await store.add_policies(session, current)
        used = await store.used_policies(session)
    registered = {policy.key: policy for policy in used}
    changed = [policy for policy in current if registered[policy.key] != policy]
    if changed:
        raise Misconfigured("\n".join(map(_mend, changed)))
    return PolicyBook(current, used)


def _mend(policy: Policy) -> str:
    return (
        f"The policy {policy.policy} is not what its version {policy.version} was when clocks "
        "began to run under it: put that text back, or give the new one a version of its own."
    )
