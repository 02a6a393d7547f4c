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

from services.audit import store, tlog
from services.audit.note import Checkpoint, Signer, parse_checkpoint, parse_note, sign_note
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

    def __init__(self, db: Database, dsn: str, sealing: Sealing) -> None:
        self._db = db
        self._dsn = dsn
        self._sealing = sealing
        self._signed: Checkpoint | None = None
        self.forked: str | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """The role `seal`. Ends with Forked when the tree contradicts what was signed."""
        leadership = Leadership(self._dsn, "audit seal")
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
        while leadership.leading and not stop.is_set():
            await self.drain()
            await sleep_unless(stop, _PACE_SECONDS)
            await self._wait(stop)

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
        self.forked = None

    async def _check_growth(self, session: Session, grown: Checkpoint) -> list[Checkpoint]:
        """Prove the growth from every head we know, as a stranger would; those that we signed."""
        stored = await store.latest_checkpoint(session)
        signed = [self._signed] if self._signed else []
        if stored is not None:
            signed.append(parse_checkpoint(parse_note(stored.note.encode()).text))
        for known in (*signed, *self._sealing.witnessed):
            await self._prove(session, known, grown)
        return signed

    async def _prove(self, session: Session, known: Checkpoint, grown: Checkpoint) -> None:
        if known.origin != grown.origin:
            self._refuse("a checkpoint of another origin was signed here")
        if known.size > grown.size:
            self._refuse(f"{known.size} entries were signed, and there are {grown.size} now")
        try:
            spans = tlog.consistency_spans(known.size, grown.size)
            nodes = await store.hashes_of(session, tlog.nodes_of(spans))
            proof = tlog.hash_spans(spans, nodes)
            tlog.verify_consistency(known.size, grown.size, known.root, grown.root, proof)
        except (tlog.BadProof, KeyError) as error:
            missing = isinstance(error, KeyError)
            self._refuse("a node of the tree is missing" if missing else str(error))

    def _refuse(self, reason: str) -> NoReturn:
        self.forked = (
            f"The audit log refuses to sign: {reason}. The database was restored or changed; "
            "keep it as it is, and see docs/audit.md."
        )
        metrics.AUDIT_FORKS.inc()
        log.error("audit_forked", reason=reason)
        raise Forked(self.forked)


async def _root_at(session: Session, size: int) -> bytes | None:
    """The root as the stored nodes give it; None when one is missing."""
    nodes = await store.hashes_of(session, tlog.cover(0, size))
    try:
        return tlog.root_at(size, nodes)
    except KeyError:
        return None
