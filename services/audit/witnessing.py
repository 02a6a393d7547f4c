"""The log's side of its witnesses: hands each of them our checkpoints, keeps what they say.

A witness that has seen more than we have, or another history, contradicts us: then nothing is
signed any more until a person has settled it (docs/audit.md). One that is silent stops nothing;
its silence has an age and an alert.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import assert_never

import aiohttp
import structlog

from services.audit import cosignature_store, store, tlog
from services.audit.cosignature import WitnessKey, parse_lines
from services.audit.note import BadNote, Checkpoint, Signer, sign_note
from services.audit.store import StoredCheckpoint
from services.audit.witness.rules import format_request
from shared.runtime import metrics
from shared.runtime.db import Database
from shared.runtime.internal_http import AiohttpExchange, Exchange
from shared.runtime.lifecycle import sleep_unless

log = structlog.get_logger()

_PACE_SECONDS = 1.0
_CALL_SECONDS = 5.0
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n")


@dataclass(frozen=True)
class WitnessAt:
    """A witness: its submission prefix and its public key."""

    url: str
    key: WitnessKey


@dataclass(frozen=True)
class Vouched:
    """It cosigned."""

    line: str


@dataclass(frozen=True)
class Knows:
    """Its last tree has `size` entries, which is not what we built upon."""

    size: int


@dataclass(frozen=True)
class Contradicts:
    """It knows another history of this log than ours."""

    kind: str
    why: str


@dataclass(frozen=True)
class Silent:
    """No usable answer."""

    why: str


Outcome = Vouched | Knows | Contradicts | Silent
Connect = Callable[[str, float], Exchange]


class Witnesses:
    """All configured witnesses of one log."""

    def __init__(
        self,
        db: Database,
        origin: str,
        signers: Sequence[Signer],
        sites: Sequence[WitnessAt],
        connect: Connect = AiohttpExchange,
    ) -> None:
        self._db = db
        self._empty = _empty_checkpoint(origin, signers)
        self._sites = {site: connect(site.url, _CALL_SECONDS) for site in sites}
        self._known = dict.fromkeys(self._sites, 0)
        self._vouched: dict[WitnessAt, int] = {}
        self.contradiction: str | None = None

    @property
    def vkeys(self) -> list[str]:
        return [site.key.vkey for site in self._sites]

    async def run(self, stop: asyncio.Event) -> None:
        """Hand over the newest checkpoint, once a second at most, until stopped."""
        while not stop.is_set():
            await self.round()
            await sleep_unless(stop, _PACE_SECONDS)

    async def ask(self, size: int) -> None:
        """Before anything is signed: has a witness seen more than the `size` entries there are?

        The question is the empty tree, which begins every history and so gives none away.
        """
        outcomes = await self._each(lambda site: self._post(site, 0, [], self._empty))
        for site, outcome in outcomes:
            if isinstance(outcome, Knows):
                self._known[site] = outcome.size
                self._compare(site, outcome.size, size)
            elif isinstance(outcome, Silent):
                self._silent(site, outcome)

    async def round(self) -> None:
        """Submit the newest checkpoint to each witness that has not cosigned it."""
        if not self._sites:
            return
        async with self._db.transaction() as session:
            newest = await store.latest_checkpoint(session)
        if newest is None:
            return
        outcomes = await self._each(lambda site: self._submit(site, newest))
        lines = {}
        for site, outcome in outcomes:
            match outcome:
                case Vouched(line):
                    self._vouched[site] = self._known[site] = newest.size
                    lines[site.key.vkey] = line
                case Knows(size):
                    await self._moved(site, size)
                case Contradicts(kind, why):
                    self._alarm(site, kind, why)
                case Silent():
                    self._silent(site, outcome)
                case None:
                    pass
                case _:
                    assert_never(outcome)
        if lines:
            async with self._db.transaction() as session:
                await cosignature_store.add(session, newest, lines)
            metrics.AUDIT_COSIGNATURES.inc(len(lines))

    async def _each(
        self, call: Callable[[WitnessAt], Awaitable[Outcome | None]]
    ) -> list[tuple[WitnessAt, Outcome | None]]:
        answers = await asyncio.gather(*(call(site) for site in self._sites))
        return list(zip(self._sites, answers, strict=True))

    async def _submit(self, site: WitnessAt, newest: StoredCheckpoint) -> Outcome | None:
        """None when it has cosigned this one already, or knows a later one of ours."""
        if self._vouched.get(site) == newest.size or self._known[site] > newest.size:
            return None
        outcome = await self._prove(site, newest)
        if isinstance(outcome, Knows) and outcome.size <= newest.size:
            self._known[site] = outcome.size
            outcome = await self._prove(site, newest)
        return outcome

    async def _prove(self, site: WitnessAt, newest: StoredCheckpoint) -> Outcome:
        old = self._known[site]
        async with self._db.transaction() as session:
            proof = await store.consistency(session, old, newest.size)
        return await self._post(site, old, proof, newest.note, newest.size)

    async def _post(
        self, site: WitnessAt, old: int, proof: Sequence[bytes], note: str, size: int = 0
    ) -> Outcome:
        body = format_request(old, proof, note).encode()
        try:
            status, answer = await self._sites[site].send(
                "POST", "/add-checkpoint", {"Content-Type": "text/plain"}, body
            )
        except (aiohttp.ClientError, OSError) as error:
            return Silent(type(error).__name__)
        return _read(site, status, answer, old, note, size)

    async def _moved(self, site: WitnessAt, size: int) -> None:
        """It knows another size than we thought: a later one of ours, or more than there is."""
        self._known[site] = size
        async with self._db.transaction() as session:
            there = (await store.lock_head(session)).size
        self._compare(site, size, there)

    def _compare(self, site: WitnessAt, known: int, there: int) -> None:
        if known > there:
            why = f"it has cosigned {known} entries, and there are {there}"
            self._alarm(site, "rollback", why)

    def _alarm(self, site: WitnessAt, kind: str, why: str) -> None:
        if self.contradiction is None:
            log.error("audit_witness_contradicts", witness=site.key.name, kind=kind)
        metrics.AUDIT_WITNESS_ALARMS.labels(kind).inc()
        self.contradiction = f"the witness {site.key.name} contradicts this log: {why}"

    def _silent(self, site: WitnessAt, outcome: Silent) -> None:
        log.warning("audit_witness_silent", witness=site.key.name, reason=outcome.why)

    async def close(self) -> None:
        for exchange in self._sites.values():
            await exchange.close()


def _read(site: WitnessAt, status: int, answer: bytes, old: int, note: str, size: int) -> Outcome:
    if status == 200:
        try:
            lines = parse_lines(answer, note, [site.key])
        except BadNote:
            return Silent("its cosignature does not verify")
        return Vouched(lines[0]) if lines else Silent("it answered without its cosignature")
    if status == 409:
        known = _SIZE.fullmatch(answer)
        if known is None:
            return Silent("409 without a size")
        if int(known[1]) == old == size and size:
            return Contradicts("fork", f"it has cosigned another tree of {size} entries")
        return Knows(int(known[1]))
    if status == 422:
        return Contradicts("fork", f"our {size} entries do not continue the {old} it has cosigned")
    return Silent(f"status {status}")


def _empty_checkpoint(origin: str, signers: Sequence[Signer]) -> str:
    return sign_note(Checkpoint(origin, 0, tlog.EMPTY_ROOT).text, signers)
