"""The replay of the last referrals, or of the sample year, beside the event loop."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from services.notify.directory import Directories
from services.notify.drafting import Clerk
from services.notify.register import Directory
from services.notify.replay import Change, Difference, Past, replay
from services.notify.replay_store import last_plans, opened
from services.notify.rule import Rulebook
from services.notify.sample_year import REFERRALS, sample_year
from shared.runtime.db import Database
from shared.runtime.ids import utc_now

Progress = Callable[[int, int], None]
"""How many are done, of how many."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """One directory for every referral, and the moment as of which each is routed."""

    directory: Directory
    at: datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """What would `new` change, in place of `old`?

    `last`: of so many of the last referral versions, or of the sample year where none is on
    record; None: of the sample year whatever is. Without `fixed` each is routed by the directory of
    its day, and the sample year by today's.
    """

    old: Rulebook
    new: Rulebook
    last: int | None
    fixed: Fixed | None = None


@dataclass(frozen=True, slots=True)
class _Ready:
    past: Iterable[Past]
    directory_of: Callable[[int], Directory]
    count: int
    left_out: int = 0
    sample: bool = False


async def replay_last(
    db: Database,
    directories: Directories,
    clerk: Clerk,
    asked: Asked,
    progress: Progress = lambda _done, _of: None,
    each_change: Callable[[Change], None] = lambda _: None,
) -> Difference:
    """The facts are opened in memory, and nothing of them is shown. Raises Unsealable."""
    ready = await _ready(db, directories, clerk, asked)
    found = await asyncio.to_thread(
        replay,
        ready.past,
        ready.directory_of,
        asked.old,
        asked.new,
        lambda done: progress(done, ready.count),
        each_change,
    )
    found.sample, found.left_out = ready.sample, ready.left_out
    return found


async def _ready(db: Database, directories: Directories, clerk: Clerk, asked: Asked) -> _Ready:
    async with db.transaction() as session:
        by = await directories.past(session)
        latest = await directories.current(session)
        sealed = await last_plans(session, asked.last or 0)
    left_out = sealed.planned - sealed.versions
    if not sealed.versions:
        fixed = asked.fixed or Fixed(latest, utc_now())
        year = sample_year(fixed.at)
        return _Ready(year, lambda _: fixed.directory, REFERRALS, left_out, sample=True)
    past = opened(sealed, clerk)
    if asked.fixed is None:
        return _Ready(past, by.of, sealed.versions, left_out)
    one = asked.fixed
    then = (replace(each, planned_at=one.at) for each in past)
    return _Ready(then, lambda _: one.directory, sealed.versions, left_out)
