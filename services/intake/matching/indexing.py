"""Indexing what was kept, after its own transaction: a caller on the line waits for none of it."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import structlog

from services.intake.blind import BlindIndex
from services.intake.hart import case_store
from services.intake.matching import store
from services.intake.matching.names import Kind, traits
from services.intake.matching.store import Entry, Unindexed
from services.intake.vault import Vault
from shared.runtime.db import Database, Session
from shared.runtime.failpoints import failpoint
from shared.runtime.ids import new_id, utc_now
from shared.runtime.sealing import Unsealable

log = structlog.get_logger()

BATCH = 20


class Indexing:
    """A chore of the sweeper, and what reading candidates does first."""

    def __init__(
        self,
        db: Database,
        vault: Vault,
        blind: BlindIndex,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._db = db
        self._vault = vault
        self._blind = blind
        self._clock = clock
        self._checked = False

    async def once(self) -> bool:
        """One batch of referrals. True if there may be more."""
        async with self._db.transaction() as session:
            await store.one_at_a_time(session)
            if not self._checked:
                await store.forget_older_keys(session, self._blind.current)
            children = await store.unindexed(session, BATCH)
            if children:
                await self._index(session, children)
                failpoint("intake.index.before_commit")
        if children:
            failpoint("intake.index.after_commit")
        self._checked = True
        return len({each.referral_id for each in children}) == BATCH

    async def _index(self, session: Session, children: Sequence[Unindexed]) -> None:
        entries, now = await self._entries(children), self._clock()
        persons = [new_id("per") for _ in children]
        await store.index(session, children, entries, persons, self._blind.current, now)
        named = [(each.referral_id, each.digest) for each in entries if each.kind == Kind.CASE]
        if named:
            await case_store.link_cases(session, named, now)

    async def catch_up(self) -> None:
        """Index everything that was kept by now."""
        while await self.once():
            pass

    async def _entries(self, children: Sequence[Unindexed]) -> list[Entry]:
        entries: list[Entry] = []
        for each in children:
            entries += [
                Entry(each.child.child_id, each.referral_id, kind, digest)
                for kind, digest in self._digests(self._open(each))
            ]
            # Who is on the line is answered between two documents.
            await asyncio.sleep(0)
        return entries

    def _digests(self, document: Mapping[str, Any]) -> Iterator[tuple[Kind, bytes]]:
        for trait in traits(document.get("name"), document.get("date_of_birth")):
            yield trait.kind, self._blind.digest(trait)
        for digest in self._blind.case(document.get("case_number", "")):
            yield Kind.CASE, digest

    def _open(self, each: Unindexed) -> Mapping[str, Any]:
        """A document that no longer opens (it is shredded, or damaged) takes its digests with it,
        and holds up no other child."""
        try:
            ((_, document),) = self._vault.open([each.child], each.version)
        except Unsealable:
            log.error("child_not_indexed", referral_id=each.referral_id)
            return {}
        return document
