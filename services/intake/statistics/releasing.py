"""Releases: frozen, numbered, and judged beside every earlier one before anything is public."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import assert_never
from zoneinfo import ZoneInfo

import structlog

from services.intake.digests import Digests, same_body
from services.intake.receiving import KeyReused
from services.intake.retrying import until_known
from services.intake.statistics import count_store, release_store, restating, store
from services.intake.statistics.records import Reason, Release
from services.intake.statistics.restating import Moved
from services.intake.statistics.suppression import (
    Earlier,
    HoldBack,
    Publish,
    all_cells,
    judge,
)
from services.intake.statistics.tables import Counts, Table, build
from services.intake.statistics.tallying import BATCH, Tallying
from services.intake.strict_json import canonical
from shared.runtime.db import Database, Session

log = structlog.get_logger()

_HERE = ZoneInfo("America/New_York")


@dataclass(frozen=True, slots=True)
class Wish:
    """A request to release a year. `key` and `body` make it recognisable when it is sent again."""

    owner: str
    key: str
    body: object
    year: int
    reason: Reason
    now: datetime


@dataclass(frozen=True, slots=True)
class Released:
    """It is made, now or by the same request before."""

    release: Release


@dataclass(frozen=True, slots=True)
class NotOver:
    """The year is not over in Connecticut, and its first release decides what is ever shown."""


@dataclass(frozen=True, slots=True)
class Restatement:
    """What changed since the release before. `causes`: why, in which columns, how many children."""

    release: Release
    before: Release | None
    moved: Sequence[Moved]
    causes: Sequence[tuple[str, tuple[str, ...], int]]


class Releasing:
    """The units of work behind the routes of releases, and the exact figures of a period."""

    def __init__(
        self, db: Database, tallying: Tallying, digests: Digests, towns: Mapping[str, str]
    ) -> None:
        """`towns` by the pseudonym that the counts know them by."""
        self._db = db
        self._tallying = tallying
        self._digests = digests
        self._towns = towns

    async def release(self, wish: Wish) -> Released | KeyReused | NotOver:
        """Freeze a year's tables under the next number."""
        if wish.now.astimezone(_HERE).year <= wish.year:
            return NotOver()
        await self._tallying.catch_up(wish.now)
        return await until_known(partial(self._attempt, wish))

    async def _attempt(self, wish: Wish) -> Released | KeyReused:
        keys = self._digests.request(wish.key.encode())
        bodies = self._digests.request(canonical(wish.body))
        async with self._db.transaction() as session:
            await store.hold(session)
            found = await release_store.find_key(session, wish.owner, keys)
            if found is not None:
                return await self._again(session, found, bodies)
            release = await self._make(session, wish)
            await release_store.insert_release(session, release, keys[0], bodies[0])
        log.info("statistics_released", number=release.number, held=release.withheld is None)
        return Released(release)

    async def _again(
        self, session: Session, found: tuple[bytes, int], bodies: Sequence[bytes]
    ) -> Released | KeyReused:
        digest, number = found
        if not same_body(digest, bodies):
            return KeyReused()
        release = await release_store.read_release(session, number)
        assert release is not None
        return Released(release)

    async def _make(self, session: Session, wish: Wish) -> Release:
        while await self._tallying.tally(session, wish.now, BATCH) == BATCH:
            pass
        tables = await self.count_year(session, wish.year)
        earlier = _earlier(await release_store.read_releases(session, wish.year))
        return Release(
            number=await release_store.next_number(session),
            year=wish.year,
            made_at=wish.now,
            made_by=wish.owner,
            reason=wish.reason,
            tables=tables,
            withheld=_withheld(tables, earlier),
            through_change=await release_store.last_change(session),
        )

    async def count_year(self, session: Session, year: int) -> tuple[Table, ...]:
        """The exact tables of a calendar year, of what is tallied."""
        return self._build(await count_store.count_year(session, year))

    async def count_month(self, session: Session, month: int) -> tuple[Table, ...]:
        """The same of one month."""
        return self._build(await count_store.count_month(session, month))

    def _build(self, counts: Counts) -> tuple[Table, ...]:
        """With the towns under their own names."""
        named = {
            self._towns.get(code, code): count for code, count in counts.get("town", {}).items()
        }
        return build({**counts, "town": named}, sorted(self._towns.values()))

    async def published(self, year: int) -> Release | None:
        """The last release of a year that was not held back."""
        async with self._db.transaction() as session:
            shown = [
                each
                for each in await release_store.read_releases(session, year)
                if each.withheld is not None
            ]
        return shown[-1] if shown else None

    async def years(self) -> list[Release]:
        """Of each year its last published release."""
        async with self._db.transaction() as session:
            return await release_store.latest_published(session)

    async def find(self, number: int) -> Release | None:
        async with self._db.transaction() as session:
            return await release_store.read_release(session, number)

    async def restatement(self, number: int, *, published: bool) -> Restatement | None:
        """What changed between a release and the one of its year before.

        `published` leaves out those that were held back: comparing with one would tell of it.
        """
        async with self._db.transaction() as session:
            return await self.compare(session, number, published=published)

    async def compare(
        self, session: Session, number: int, *, published: bool
    ) -> Restatement | None:
        """The same within the caller's transaction."""
        release = await release_store.read_release(session, number)
        if release is None:
            return None
        siblings = await release_store.read_releases(session, release.year)
        before = [
            each
            for each in siblings
            if each.number < number and not (published and each.withheld is None)
        ][-1:]
        if not before:
            return Restatement(release, None, (), ())
        causes = await release_store.count_changes(
            session, release.year, before[0].through_change, release.through_change
        )
        moved = restating.moved(before[0].tables, release.tables, ())
        return Restatement(release, before[0], moved, causes)


def _earlier(releases: Sequence[Release]) -> Earlier | None:
    """Every published release of a year shows the same cells, so the first one stands for all."""
    for release in releases:
        if release.withheld is not None:
            return Earlier(all_cells(release.tables), release.withheld)
    return None


def _withheld(tables: Sequence[Table], earlier: Earlier | None) -> frozenset[str] | None:
    verdict = judge(tables, earlier)
    match verdict:
        case Publish(withheld=withheld):
            return withheld
        case HoldBack():
            return None
        case _:
            assert_never(verdict)
