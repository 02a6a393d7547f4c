"""Once: a POST with an Idempotency-Key is done in one transaction, and done once (P1)."""

import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Generic, TypeVar

from asyncpg import PostgresError

from services.intake import once_store, store
from services.intake.digests import Digests
from services.intake.receiving import KeyReused, StillOpen
from services.intake.retrying import until_known
from services.intake.strict_json import canonical
from shared.runtime.db import Database, Session
from shared.runtime.errors import Retryable
from shared.runtime.failpoints import failpoint

_PATIENCE_MS = 3000
_LOCK_NOT_AVAILABLE = "55P03"

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Ask:
    """A request to do something once. `action` is part of what must be the same when sent again."""

    action: str
    owner: str
    key: str
    body: object
    now: datetime


@dataclass(frozen=True, slots=True)
class Kept:
    """Done, now or when it was first sent. `answer` is JSON: ids, times and codes only."""

    answer: str


class _Undo(Exception, Generic[R]):
    """The work came to nothing: nothing of it is kept, not even the key."""

    def __init__(self, outcome: R) -> None:
        super().__init__()
        self.outcome = outcome


def kept(**fields: object) -> Kept:
    """The answer to what was done."""
    return Kept(json.dumps(fields, separators=(",", ":")))


class Once:
    """Does a unit of work with its key, or finds what it came to."""

    def __init__(self, db: Database, digests: Digests) -> None:
        self._db = db
        self._digests = digests

    async def do(
        self, ask: Ask, work: Callable[[Session], Awaitable[Kept | R]]
    ) -> Kept | KeyReused | StillOpen | R:
        """Run `work` in the key's transaction; what is not Kept is rolled back, and the key free.

        `work` may run more than once, each time in a transaction of its own.
        """
        try:
            return await until_known(partial(self._attempt, ask, work))
        except _Undo as undone:
            outcome: R = undone.outcome
            return outcome
        except PostgresError as error:
            if error.sqlstate == _LOCK_NOT_AVAILABLE:
                return StillOpen()
            raise

    async def _attempt(
        self, ask: Ask, work: Callable[[Session], Awaitable[Kept | R]]
    ) -> Kept | KeyReused | R:
        keys = self._digests.request(ask.key.encode())
        bodies = self._digests.request(canonical([ask.action, ask.body]))
        async with self._db.transaction() as session:
            if not await once_store.claim(
                session, ask.owner, keys, bodies[0], ask.now, patience_ms=_PATIENCE_MS
            ):
                return await self._found(session, ask.owner, keys, bodies)
            outcome = await work(session)
            if not isinstance(outcome, Kept):
                raise _Undo(outcome)
            await once_store.settle(session, ask.owner, keys[0], outcome.answer)
            failpoint("intake.before_commit")
        failpoint("intake.after_commit")
        return outcome

    async def _found(
        self,
        session: Session,
        owner: str,
        keys: tuple[bytes, ...],
        bodies: tuple[bytes, ...],
    ) -> Kept | KeyReused:
        found = await store.find_claim(session, owner, keys)
        if found is None:
            raise Retryable("the key was taken and is free again")
        body, answer = found
        same = any(hmac.compare_digest(body, each) for each in bodies)
        return Kept(answer) if same else KeyReused()
