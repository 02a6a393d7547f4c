"""The replay of the last referrals, and of the sample year where few are on record, beside the
event loop."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from services.notify.directory.in_force import Directories
from services.notify.directory.register import Directory
from services.notify.planning.drafting import Clerk
from services.notify.routing.replay import Change, Difference, Past, replay
from services.notify.routing.replay_store import last_plans, opened
from services.notify.routing.rule import Rulebook
from services.notify.routing.sample_year import REFERRALS, sample_year
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

    `last`: of so many of the last referral versions, and where fewer than a year's can be replayed,
    beside them of the sample year; None: of the sample year alone. Without `fixed` each is routed
    by the directory of its day, and the sample year by today's.
    """

    old: Rulebook
    new: Rulebook
    last: int | None
    fixed: Fixed | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    past: Iterable[Past]
    directory_of: Callable[[int], Directory]
    count: int


@dataclass(frozen=True, slots=True)
class _Ready:
    """Either or both."""

    real: _Part | None
    year: _Part | None
    left_out: int


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
    return await asyncio.to_thread(_replay, ready, asked, progress, each_change)


def _replay(
    ready: _Ready, asked: Asked, progress: Progress, each_change: Callable[[Change], None]
) -> Difference:
    """Every change of the sample year is only of interest where nothing else was replayed."""
    real, year = ready.real, ready.year
    before = 0 if real is None else real.count
    count = before + (0 if year is None else year.count)
    found = made_up = None
    if real is not None:
        found = _part(real, asked, lambda done: progress(done, count), each_change)
    if year is not None:
        each = each_change if found is None else lambda _: None
        made_up = _part(year, asked, lambda done: progress(before + done, count), each)
        made_up.sample = True
    if found is None:
        assert made_up is not None
        found, made_up = made_up, None
    found.beside, found.left_out = made_up, ready.left_out
    return found


def _part(
    part: _Part,
    asked: Asked,
    progress: Callable[[int], None],
    each_change: Callable[[Change], None],
) -> Difference:
    return replay(part.past, part.directory_of, asked.old, asked.new, progress, each_change)


async def _ready(db: Database, directories: Directories, clerk: Clerk, asked: Asked) -> _Ready:
    async with db.transaction() as session:
        by = await directories.past(session)
        latest = await directories.current(session)
        sealed = await last_plans(session, asked.last or 0)
    left_out = sealed.planned - sealed.versions
    year = None
    if sealed.versions < REFERRALS:
        year = _year(asked.fixed or Fixed(latest, utc_now()))
    if not sealed.versions:
        return _Ready(None, year, left_out)
    past = opened(sealed, clerk)
    if asked.fixed is None:
        return _Ready(_Part(past, by.of, sealed.versions), year, left_out)
    one = asked.fixed
    then = (replace(each, planned_at=one.at) for each in past)
    return _Ready(_Part(then, lambda _: one.directory, sealed.versions), year, left_out)


def _year(fixed: Fixed) -> _Part:
    return _Part(sample_year(fixed.at), lambda _: fixed.directory, REFERRALS)
