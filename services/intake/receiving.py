"""Receiving a referral: 201 only when it is kept, and kept once however often it is sent (P1)."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog
from asyncpg import PostgresError

from services.intake import answers, store
from services.intake.announcing import announcement
from services.intake.digests import Digests, same_body
from services.intake.records import Claim, SealedChild, Version
from services.intake.referrals import backdated, identified
from services.intake.retrying import until_known
from services.intake.schemas import NewReferral
from services.intake.strict_json import Flaw, Rejected, canonical
from services.intake.vault import Vault
from shared.messaging.outbox import RELAY_WAKE, Outbox
from shared.runtime import metrics
from shared.runtime.db import Database, Session
from shared.runtime.errors import Retryable
from shared.runtime.failpoints import failpoint
from shared.runtime.ids import new_id

log = structlog.get_logger()

_PATIENCE_MS = 3000
_LOCK_NOT_AVAILABLE, _UNIQUE_VIOLATION = "55P03", "23505"
_TESTS_ONLY = (
    "must be true: this is a sandbox and tells nobody; report a real child to the Careline, "
    "800-842-2288"
)
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


Also = Callable[[Session, Version], Awaitable[None]]
"""What is written with a referral, in its transaction: an exception drops both."""


@dataclass(frozen=True, slots=True)
class Request:
    """A valid request to create a referral. `body` is its parsed JSON, `key` the client's own."""

    owner: str
    key: str
    body: object
    referral: NewReferral
    now: datetime
    also: Also | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """Kept. `answer` is the 201's body; for a request sent again it is the first one's."""

    answer: str
    again: bool


@dataclass(frozen=True, slots=True)
class KeyReused:
    """The Idempotency-Key was used before, with another body."""


@dataclass(frozen=True, slots=True)
class StillOpen:
    """A request with the same key is under way and takes long: ask again in a moment."""


Received = Accepted | KeyReused | StillOpen


@dataclass(frozen=True, slots=True)
class _Draft:
    """Everything that one request would write. Made once, however often it is attempted."""

    claim: Claim
    version: Version
    children: list[SealedChild]
    event: Mapping[str, object]
    also: Also | None


class Receiving:
    """The unit of work behind POST /v1/referrals."""

    def __init__(
        self,
        db: Database,
        outbox: Outbox,
        vault: Vault,
        digests: Digests,
        new_number: Callable[[], str] | None = None,
        *,
        sandbox: bool = False,
    ) -> None:
        self._db = db
        self._outbox = outbox
        self._vault = vault
        self._digests = digests
        self._new_number = new_number or random_number
        self._sandbox = sandbox

    def admit(self, synthetic: bool) -> None:
        """Raises Rejected for what is no test, where nothing else may come in."""
        if self._sandbox and not synthetic:
            raise Rejected(Flaw(("synthetic",), _TESTS_ONLY))

    async def receive(self, request: Request) -> Received:
        """Keep the referral and its event in one transaction, or find what was kept before.

        Raises Rejected for a real referral in a sandbox.
        """
        self.admit(request.referral.synthetic)
        while True:
            draft = self._draft(request)
            try:
                return await until_known(partial(self._attempt, draft))
            except PostgresError as error:
                if _says(error, _LOCK_NOT_AVAILABLE):
                    return StillOpen()
                if not _says(error, _UNIQUE_VIOLATION):
                    raise
                # Another referral has this number; the dice are thrown again.
                log.warning("number_taken")

    async def earlier(self, owner: str, key: str, body: object) -> Accepted | KeyReused | None:
        """What came before under this key, if anything; nothing is written."""
        claim = self._claim(key, body, "")
        return await until_known(partial(self._earlier, owner, claim))

    async def _earlier(self, owner: str, claim: Claim) -> Accepted | KeyReused | None:
        async with self._db.transaction() as session:
            found = await store.find_claim(session, owner, claim.key_digests)
        return None if found is None else _known(claim, *found)

    def _claim(self, key: str, body: object, answer: str) -> Claim:
        digest = self._digests.request
        return Claim(digest(key.encode()), digest(canonical(body)), answer)

    def _draft(self, request: Request) -> _Draft:
        referral = request.referral
        children = identified(referral, lambda: new_id("chd"))
        version = Version(
            referral_id=new_id("ref"),
            number=self._new_number(),
            owner=request.owner,
            version=1,
            change_id=new_id("chg"),
            trigger=referral.trigger.value,
            synthetic=referral.synthetic,
            received_at=referral.received_at,
            recorded_at=request.now,
            recorded_by=request.owner,
            child_ids=[child_id for child_id, _ in children],
            backdated=backdated(referral.received_at, request.now),
        )
        claim = self._claim(request.key, request.body, answers.describe(version))
        sealed = self._vault.seal(referral, children, 1, {})
        event = self._outbox.first(announcement(version, children), request.now)
        return _Draft(claim, version, sealed, event, request.also)

    async def _attempt(self, draft: _Draft) -> Received:
        """Once. Made again after a lost connection, it finds what it has committed by the key."""
        claim, version = draft.claim, draft.version
        if not await self._keep(draft):
            found = await self._earlier(version.owner, claim)
            if found is None:
                raise Retryable("the key was taken and is free again")
            return found
        failpoint("intake.after_commit")
        self._db.wakes.wake(RELAY_WAKE)
        metrics.REFERRALS_KEPT.labels(version.trigger).inc()
        log.info("referral_kept", referral_id=version.referral_id)
        return Accepted(claim.answer, again=False)

    async def _keep(self, draft: _Draft) -> bool:
        """False if the key was taken. A statement without company is its own transaction."""
        if draft.also is None:
            failpoint("intake.before_commit")
            return await self._create(self._db.execute, draft)
        async with self._db.transaction() as session:
            kept = await self._create(session.execute, draft)
            if kept:
                await draft.also(session, draft.version)
            failpoint("intake.before_commit")
        return kept

    async def _create(self, run: store.Run, draft: _Draft) -> bool:
        return await store.create(
            run, draft.claim, draft.version, draft.children, draft.event, patience_ms=_PATIENCE_MS
        )


def _known(claim: Claim, body_digest: bytes, answer: str) -> Accepted | KeyReused:
    if not same_body(body_digest, claim.body_digests):
        return KeyReused()
    return Accepted(answer, again=answer != claim.answer)


def random_number() -> str:
    """A number to say on the phone. Random: a gap in a sequence would betray a referral."""
    bits = secrets.randbits(40)
    symbols = "".join(_CROCKFORD[bits >> place & 31] for place in range(0, 40, 5))
    return f"HL-{symbols[:4]}-{symbols[4:]}"


def _says(error: PostgresError, state: str) -> bool:
    return bool(error.sqlstate == state)
