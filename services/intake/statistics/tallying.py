"""Tallying: coded facts made of sealed documents, off the path of who sends a referral.

An answer is exact because every answer tallies first what is waiting; the role `sweep` calls the
same function, so that little is. Opening a document to code it discloses it to nobody.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog

from services.intake.records import StoredChild
from services.intake.statistics import count_store, counting, release_store, store
from services.intake.statistics.counting import Key
from services.intake.statistics.facts import Facts, code, unreadable
from services.intake.statistics.pseudonyms import Pseudonyms
from services.intake.statistics.records import Pending, Standing, Tallied
from services.intake.statistics.restating import COUNTED_AGAIN, RECEIVED, Change, changes
from services.intake.statistics.standing_store import read_standings
from services.intake.vault import Vault
from shared.runtime.db import Database, Session
from shared.runtime.sealing import Unsealable

log = structlog.get_logger()

BATCH = 500


class Tallying:
    """The unit of work that keeps the coded facts up with the referrals."""

    def __init__(
        self, db: Database, vault: Vault, pseudonyms: Pseudonyms, towns: Collection[str]
    ) -> None:
        self._db = db
        self._vault = vault
        self._pseudonyms = pseudonyms
        self._towns = frozenset(towns)

    async def catch_up(self, now: datetime, *, batch: int = BATCH) -> int:
        """Tally all that waits, a batch a transaction; how many referrals that were.

        Any number of callers, at any time: they take turns, and a batch is done once.
        """
        total = 0
        while True:
            done = await self._once(now, batch)
            total += done
            if done < batch:
                return total

    async def some(self, now: datetime, limit: int) -> bool:
        """Tally at most `limit` referrals. True if more may be waiting."""
        return await self._once(now, limit) == limit

    async def _once(self, now: datetime, limit: int) -> int:
        async with self._db.transaction() as session:
            await store.hold(session)
            return await self.tally(session, now, limit)

    async def tally(self, session: Session, now: datetime, limit: int) -> int:
        """Tally at most `limit` referrals in a transaction that holds the tally."""
        pending = await store.take_pending(session, now, limit)
        if not pending:
            return 0
        ids = [each.referral_id for each in pending]
        standings = await read_standings(session, ids, now)
        released = await release_store.released_years(session)
        coded = await asyncio.to_thread(self._code, pending, standings)
        await self._write(session, pending, standings, coded, released, now)
        return len(pending)

    async def _write(
        self,
        session: Session,
        pending: list[Pending],
        standings: Mapping[str, Standing],
        coded: Mapping[bytes, Tallied],
        released: Collection[int],
        now: datetime,
    ) -> None:
        causes = {
            self._pseudonyms.child(child_id): _cause(each, standings.get(each.referral_id))
            for each in pending
            for child_id in each.child_ids
        }
        before = await store.read_facts(session, list(causes))
        coded = self._with_what_was_counted(pending, before, coded)
        found: list[Change] = []
        for child, cause in causes.items():
            was, now_is = before.get(child), coded.get(child)
            found += changes(_facts_of(was), _facts_of(now_is), cause, released)
        await store.add_changes(session, found, now)
        await _replace(session, before, coded)

    def _with_what_was_counted(
        self,
        pending: Sequence[Pending],
        before: Mapping[bytes, Tallied],
        coded: Mapping[bytes, Tallied],
    ) -> Mapping[bytes, Tallied]:
        """A child whose content was destroyed counts as it was counted: no year is told anew for it
        (ADR 0028)."""
        kept = dict(coded)
        for each in pending:
            there = {child.child_id for child in each.children if not child.key.shredded}
            for child_id in set(each.child_ids) - there:
                key = self._pseudonyms.child(child_id)
                if key in kept and key in before:
                    kept[key] = replace(kept[key], facts=before[key].facts)
        return kept

    def _code(
        self, pending: list[Pending], standings: Mapping[str, Standing]
    ) -> dict[bytes, Tallied]:
        """The rows of every child that counts."""
        rows: dict[bytes, Tallied] = {}
        for each in pending:
            standing = standings.get(each.referral_id, Standing())
            if each.synthetic or standing.excluded is not None:
                continue
            documents = {child.child_id: child for child in each.children}
            for child_id in each.child_ids:
                facts = self._facts(each, documents.get(child_id), standing)
                key = self._pseudonyms.child(child_id)
                rows[key] = self._tallied(each, child_id, standing, facts)
        return rows

    def _tallied(
        self, pending: Pending, child_id: str, standing: Standing, facts: Facts
    ) -> Tallied:
        return Tallied(
            self._pseudonyms.child(child_id),
            self._pseudonyms.referral(pending.referral_id),
            self._pseudonyms.person(standing.persons.get(child_id, child_id)),
            facts,
        )

    def _facts(self, pending: Pending, child: StoredChild | None, standing: Standing) -> Facts:
        document = None if child is None else self._open(child, pending)
        if document is None or child is None:
            return unreadable(pending.received_at)
        return code(
            document,
            pending.received_at,
            self._towns,
            self._pseudonyms,
            identified=child.child_id in standing.identified,
        )

    def _open(self, child: StoredChild, pending: Pending) -> Mapping[str, Any] | None:
        try:
            ((_, document),) = self._vault.open([child], pending.version)
        except Unsealable:
            log.error("document_not_tallied", referral_id=pending.referral_id)
            return None
        return document


def _cause(pending: Pending, standing: Standing | None) -> str:
    if standing is not None and standing.excluded is not None:
        return standing.excluded
    return COUNTED_AGAIN if pending.again else RECEIVED


async def _replace(
    session: Session, before: Mapping[bytes, Tallied], after: Mapping[bytes, Tallied]
) -> None:
    """Put the new rows in the place of the old ones, and the difference into the counts."""
    touched = [*before.values(), *after.values()]
    persons = {row.person for row in touched}
    settings = {facility for row in touched if (facility := row.facts.facility) is not None}

    async def counted() -> Counter[Key]:
        of_persons = counting.of_persons(await count_store.read_persons(session, persons))
        of_settings = counting.of_settings(await count_store.read_settings(session, settings))
        return of_persons + of_settings

    difference = counting.of_rows(list(after.values()))
    difference.subtract(counting.of_rows(list(before.values())))
    difference.subtract(await counted())
    await store.delete_facts(session, [child for child in before if child not in after])
    await store.write_facts(session, list(after.values()))
    difference.update(await counted())
    await count_store.add(session, difference.items())


def _facts_of(row: Tallied | None) -> Facts | None:
    return None if row is None else row.facts
