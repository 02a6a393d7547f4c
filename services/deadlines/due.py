"""What is owed: what was missed and still is, and what falls due soon."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.deadlines import report_store, store
from services.deadlines.clocks import Clock
from services.deadlines.policy import Policy
from services.deadlines.report_store import Whose
from services.deadlines.sla import ClockState
from shared.contracts.codes import Desk
from shared.runtime.db import Database

MOST = 500
"""Of what is overdue, and again of what is not announced: neither crowds out the other."""


@dataclass(frozen=True, slots=True)
class Owed:
    """What is overdue first, each part by its due time. `more`: there is more than was listed."""

    clocks: Sequence[Clock]
    policies: Mapping[tuple[str, str], Policy]
    more: bool


async def owed(
    db: Database, now: datetime, until: datetime, whose: Whose, desk: Desk | None
) -> Owed:
    """Of somebody's duties, and of those that a desk answers for where it is given."""
    async with db.transaction() as session:
        policies = {policy.key: policy for policy in await store.used_policies(session)}
        wanted = [each for each in policies.values() if desk is None or each.answers is desk]
        missed = await report_store.missed(session, wanted, whose, MOST + 1)
        coming = await report_store.open_until(session, until, wanted, whose, MOST + 1)
    more = max(len(missed), len(coming)) > MOST
    clocks = [*missed[:MOST], *coming[:MOST]]
    return Owed(sorted(clocks, key=lambda each: _place(each, now)), policies, more)


def is_overdue(clock: Clock, now: datetime) -> bool:
    """Announced as missed, or about to be."""
    return clock.state is ClockState.BREACHED or clock.standing.due_at < now


def _place(clock: Clock, now: datetime) -> tuple[bool, datetime, str]:
    return not is_overdue(clock, now), clock.standing.due_at, clock.clock_id
