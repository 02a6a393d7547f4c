"""Reports over many referrals, read in steps so that none of them holds everything at once."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime

from services.deadlines import report_store, store
from services.deadlines.book import PolicyBook
from services.deadlines.clocks import Clock
from services.deadlines.compliance import Line, Result, report, results
from services.deadlines.facts import Fact
from services.deadlines.policy import Policy
from services.deadlines.story import Story
from services.deadlines.what_if import Difference, count, difference
from shared.runtime.db import Database, Session
from shared.runtime.ids import utc_now

Policies = Mapping[tuple[str, str], Policy]
STEP = 200

Past = tuple[Sequence[Clock], Sequence[Fact]]
"""The clocks of one referral and its facts."""


async def known_policies(session: Session) -> Policies:
    return {policy.key: policy for policy in await store.used_policies(session)}


async def compliance(db: Database, since: datetime, until: datetime) -> list[Line]:
    """Of the clocks that fell due in between, by what was announced of them if anything was;
    synthetic ones left out."""
    async with db.transaction() as session:
        policies = await known_policies(session)
    found: list[Result] = []
    async for clocks, facts in past(db, since, until):
        story = Story(facts)
        for clock in clocks:
            if since <= clock.counted_at < until:
                policy = policies[clock.policy, clock.policy_version]
                found += results(clock, policy, story)
    return report(found)


async def past(db: Database, since: datetime, until: datetime) -> AsyncIterator[Past]:
    """Every referral with a clock that fell due in between."""

    async def next_ids(session: Session, after: str) -> list[str]:
        return await report_store.referrals_due_between(session, since, until, after, STEP)

    async for each in _steps(db, next_ids):
        yield each


async def everything(db: Database) -> AsyncIterator[Past]:
    """Every referral of which any fact speaks."""

    async def next_ids(session: Session, after: str) -> list[str]:
        return await report_store.referrals_with_facts(session, after, STEP)

    async for each in _steps(db, next_ids):
        yield each


async def over_the_past(
    db: Database, book: PolicyBook, policy: Policy, seconds: float = math.inf
) -> Difference:
    """What a policy would have made of everything known, or of as much as there is time for."""
    counts: Counter[str] = Counter()
    now, began = utc_now(), time.monotonic()
    async for _, facts in everything(db):
        if time.monotonic() - began > seconds:
            return difference(counts, complete=False)
        count(policy, book, Story(facts), now, counts)
        await asyncio.sleep(0)
    return difference(counts)


async def _steps(db: Database, next_ids: Callable[..., object]) -> AsyncIterator[Past]:
    after = ""
    while True:
        async with db.transaction() as session:
            ids: list[str] = await next_ids(session, after)  # type: ignore[misc]
            clocks = await store.clocks_of(session, ids)
            facts = await store.facts_of(session, ids)
        for referral_id in ids:
            yield clocks.get(referral_id, ()), facts.get(referral_id, ())
        if len(ids) < STEP:
            return
        after = ids[-1]
