"""The sequencer: moves submissions into the tree, then signs its head. One at a time, by a lock.

1. Stand for election (an advisory lock held by a session); the head row's lock fences a zombie.
2. Sequence what waits, thousands in a transaction, and commit it.
3. Only then sign, if the new tree begins with every tree we know to have been signed.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

import structlog

from services.audit import origin_store, store, tlog
from services.audit.continuity import why_not
from services.audit.note import Checkpoint, Signer, parse_checkpoint, parse_note, sign_note
from services.audit.printing import Printing
from services.audit.recovering import SEALERS
from services.audit.witnessing import Witnesses
from shared.messaging.leases import Leadership
from shared.runtime import metrics
from shared.runtime.db import Database, Session
from shared.runtime.failpoints import failpoint
from shared.runtime.lifecycle import sleep_unless

log = structlog.get_logger()

BATCH = 4096
_PACE_SECONDS = 0.25
_POLL_SECONDS = 1.0
_SIGN_SECONDS = 0.5


class Forked(Exception):
    """The tree in the database does not continue a tree that was signed: it was restored from a
    backup, or changed. Nothing is signed until a person has settled it."""


@dataclass(frozen=True)
class Sealing:
    """How this log signs: its origin, its keys, and heads that it must never contradict."""

    origin: str
    signers: Sequence[Signer]
    witnessed: Sequence[Checkpoint] = ()


class Sealer:
    """Sequences and signs. `sequence_once` and `sign_once` are each one unit of work."""

    def __init__(
        self,
        db: Database,
        dsn: str,
        sealing: Sealing,
        *,
        witnesses: Witnesses | None = None,
        printing: Printing | None = None,
    ) -> None:
        """`witnesses` and `printing` are served while this one leads."""
        self._db = db
        self._beside = [each for each in (witnesses, printing) if each is not None]
        self._witnesses = witnesses
        self._dsn = dsn
        self._sealing = sealing
        self._signed: Checkpoint | None = None
        self.forked: str | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """The role `seal`. Ends with Forked when the tree contradicts what was signed."""
        leadership = Leadership(self._dsn, SEALERS)
        try:
            while not stop.is_set():
                if await leadership.contend():
                    await self._lead(leadership, stop)
                else:
                    await sleep_unless(stop, _POLL_SECONDS)
        finally:
            await leadership.close()

    async def _lead(self, leadership: Leadership, stop: asyncio.Event) -> None:
        await self.check()
        await self.sign_once()
        beside = [asyncio.create_task(each.run(stop)) for each in self._beside]
        try:
            while leadership.leading and not stop.is_set():
                await self.drain()
                await sleep_unless(stop, _PACE_SECONDS)
                await self._wait(stop)
                _raise_what_failed(beside)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    async def _wait(self, stop: asyncio.Event) -> None:
        """Until woken, stopped, or the poll that is the guarantee."""
        woken = asyncio.create_task(self._db.wakes.wait(store.SEAL_WAKE, _POLL_SECONDS))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait((woken, stopped), return_when=asyncio.FIRST_COMPLETED)
        for task in (woken, stopped):
            task.cancel()
        await asyncio.wait((woken, stopped))

    async def drain(self) -> None:
        """Sequence everything that waits; sign at the end, and twice a second meanwhile."""
        loop = asyncio.get_running_loop()
        sign_at = loop.time() + _SIGN_SECONDS
        while await self.sequence_once() == BATCH:
            if loop.time() >= sign_at:
                await self.sign_once()
                sign_at = loop.time() + _SIGN_SECONDS
        await self.sign_once()

    async def sequence_once(self, limit: int = BATCH) -> int:
        """Move one batch of submissions into the tree; how many entries it became."""
        async with self._db.transaction() as session:
            frontier = await store.lock_head(session)
            hashes = await store.append_entries(session, frontier.size, limit)
            if hashes:
                await store.add_nodes(session, frontier.extend(hashes))
                await store.move_head(session, frontier)
            failpoint("audit.seal.before_commit")
        failpoint("audit.seal.after_commit")
        metrics.AUDIT_SEQUENCED.inc(len(hashes))
        return len(hashes)

    async def sign_once(self) -> Checkpoint | None:
        """Sign the committed tree if it has grown; None when there is nothing new to sign.

        Raises Forked instead of contradicting what was signed before.
        """
        self._heed_witnesses()
        async with self._db.transaction() as session:
            frontier = await store.lock_head(session)
            grown = Checkpoint(self._sealing.origin, frontier.size, frontier.root())
            signed = await self._check_growth(session, grown)
            if signed and max(known.size for known in signed) == grown.size:
                return None
            note = sign_note(grown.text, self._sealing.signers)
            failpoint("audit.seal.after_sign")
            await store.add_checkpoint(session, grown.size, grown.root, note)
        self._signed = grown
        metrics.AUDIT_CHECKPOINTS.inc()
        return grown

    async def check(self) -> None:
        """Raises Forked when the tree is not whole or contradicts a head that we know of."""
        async with self._db.transaction() as session:
            frontier = await store.lock_head(session)
            last = await store.last_index(session)
            if frontier.size != (0 if last is None else last + 1):
                self._refuse(f"the head says {frontier.size} entries, the last index is {last}")
            root = await _root_at(session, frontier.size)
            if root != frontier.root():
                self._refuse(f"the stored nodes do not give the root of {frontier.size} entries")
            grown = Checkpoint(self._sealing.origin, frontier.size, frontier.root())
            await self._check_growth(session, grown)
            signers = self._sealing.signers
            await origin_store.keep_keys(session, [each.public.vkey for each in signers])
        if self._witnesses is not None:
            await self._witnesses.ask(grown.size)
        self._heed_witnesses()
        self.forked = None

    def _heed_witnesses(self) -> None:
        if self._witnesses is not None and self._witnesses.contradiction is not None:
            self._refuse(self._witnesses.contradiction)

    async def _check_growth(self, session: Session, grown: Checkpoint) -> list[Checkpoint]:
        """Prove the growth from every head we know, as a stranger would; those that we signed."""
        stored = await store.latest_checkpoint(session)
        signed = [self._signed] if self._signed else []
        if stored is not None:
            signed.append(parse_checkpoint(parse_note(stored.note.encode()).text))
        origins = await origin_store.all_of(session)
        if grown.origin in {each.previous for each in origins}:
            self._refuse("this log goes on under a newer origin")
        for known in (*signed, *self._sealing.witnessed):
            reason = await why_not(session, known, grown, origins)
            if reason is not None:
                self._refuse(reason)
        return [known for known in signed if known.origin == grown.origin]

    def _refuse(self, reason: str) -> NoReturn:
        self.forked = (
            f"The audit log refuses to sign: {reason}. The database was restored or changed; "
            "keep it as it is, and see docs/audit.md."
        )
        metrics.AUDIT_FORKS.inc()
        log.error("audit_forked", reason=reason)
        raise Forked(self.forked)


def _raise_what_failed(tasks: Sequence[asyncio.Task[None]]) -> None:
    """What runs beside the sequencer ends only by failing: then the role starts again."""
    for task in tasks:
        if task.done():
            task.result()


async def _root_at(session: Session, size: int) -> bytes | None:
    """The root as the stored nodes give it; None when one is missing."""
    nodes = await store.hashes_of(session, tlog.cover(0, size))
    try:
        return tlog.root_at(size, nodes)
    except KeyError:
        return None
