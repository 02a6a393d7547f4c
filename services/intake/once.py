"""Doing a POST once: its work and its answer are one transaction, found again by its key (P1)."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Generic, TypeVar

from asyncpg import PostgresError

from services.intake import key_store, store
from services.intake.digests import Digests, same_body
from services.intake.receiving import KeyReused, StillOpen
from services.intake.records import Claim
from services.intake.retrying import until_known
from services.intake.strict_json import canonical
from shared.runtime.db import Database, Session
from shared.runtime.errors import Retryable
from shared.runtime.failpoints import failpoint

_PATIENCE_MS = 3000
_LOCK_NOT_AVAILABLE = "55P03"

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to do something once. `action` is compared too: a key serves one route only."""

    action: str
    owner: str
    key: str
    body: object
    now: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """The JSON of a 201: ids, times and codes. `again`: the first one's, and nothing was done."""

    text: str
    again: bool = False


class _Undo(Exception, Generic[R]):
    """The work came to nothing: nothing of it is kept, not even the key."""

    def __init__(self, outcome: R) -> None:
        super().__init__()
        self.outcome = outcome


def answer(**fields: object) -> Answer:
    """The answer to what was done."""
    return Answer(json.dumps(fields, separators=(",", ":")))


class Once:
    """Does the work of a request with its key, or finds what it came to."""

    def __init__(self, db: Database, digests: Digests) -> None:
        self._db = db
        self._digests = digests

    async def do(
        self, asked: Asked, work: Callable[[Session], Awaitable[Answer | R]]
    ) -> Answer | KeyReused | StillOpen | R:
        """Run `work` in the key's transaction; what is no Answer is rolled back, and the key free.

        `work` may run more than once, each time in a transaction of its own. StillOpen when the
        same key, or something else that it must hold, is in other hands for over three seconds.
        """
        try:
            return await until_known(partial(self._attempt, asked, work))
        except _Undo as undone:
            outcome: R = undone.outcome
            return outcome
        except PostgresError as error:
            if error.sqlstate == _LOCK_NOT_AVAILABLE:
                return StillOpen()
            raise

    async def _attempt(
        self, asked: Asked, work: Callable[[Session], Awaitable[Answer | R]]
    ) -> Answer | KeyReused | R:
        claim = Claim(
            self._digests.request(asked.key.encode()),
            self._digests.request(canonical([asked.action, asked.body])),
            answer="",
        )
        async with self._db.transaction() as session:
            if not await key_store.claim(
                session, asked.owner, claim, asked.now, patience_ms=_PATIENCE_MS
            ):
                return await _found(session, asked.owner, claim)
            outcome = await work(session)
            if not isinstance(outcome, Answer):
                raise _Undo(outcome)
            await key_store.settle(session, asked.owner, claim, outcome.text)
            failpoint("intake.once.before_commit")
        failpoint("intake.once.after_commit")
        return outcome


async def _found(session: Session, owner: str, claim: Claim) -> Answer | KeyReused:
    found = await store.find_claim(session, owner, claim.key_digests)
    if found is None:
        raise Retryable("the key was taken and is free again")
    body_digest, text = found
    return Answer(text, again=True) if same_body(body_digest, claim.body_digests) else KeyReused()
