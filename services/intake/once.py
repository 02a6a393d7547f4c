"""Doing a POST once: its work and its answer are one transaction, found again by its key (P1)."""

import hmac
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

from services.intake import key_store
from services.intake.digests import Digests
from services.intake.receiving import KeyReused
from services.intake.retrying import until_known
from services.intake.strict_json import canonical
from shared.runtime.db import Database, Session
from shared.runtime.failpoints import failpoint

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request with an Idempotency-Key, as digests by every key version, the current one first."""

    owner: str
    key_digests: Sequence[bytes]
    body_digests: Sequence[bytes]
    now: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """The JSON of a 201. `again`: it is the first one's, and nothing was done this time."""

    text: str
    again: bool = False


class Once:
    """Runs the work of a request at most once per caller and key."""

    def __init__(self, db: Database, digests: Digests) -> None:
        self._db = db
        self._digests = digests

    def asked(self, owner: str, key: str, route: str, body: object, now: datetime) -> Asked:
        """`route` is a part of what is compared: a key serves one route only."""
        return Asked(
            owner,
            self._digests.request(key.encode()),
            self._digests.request(canonical({"route": route, "body": body})),
            now,
        )

    async def do(
        self, asked: Asked, work: Callable[[Session], Awaitable[Answer | R]]
    ) -> Answer | KeyReused | R:
        """The answer that was given before; otherwise do `work` and keep its Answer with it.

        What is no Answer is a refusal: it is handed back and not kept, so that the same key may
        come again. `work` may run twice when the database is lost, but is committed once.
        """
        return await until_known(partial(self._attempt, asked, work))

    async def _attempt(
        self, asked: Asked, work: Callable[[Session], Awaitable[Answer | R]]
    ) -> Answer | KeyReused | R:
        async with self._db.transaction() as session:
            await key_store.hold(session, asked.key_digests[0])
            found = await key_store.find(session, asked.owner, asked.key_digests)
            if found is not None:
                return _given(asked, *found)
            outcome = await work(session)
            if isinstance(outcome, Answer):
                await key_store.keep(session, asked, outcome.text)
                failpoint("intake.once.before_commit")
        if isinstance(outcome, Answer):
            failpoint("intake.once.after_commit")
        return outcome


def _given(asked: Asked, body_digest: bytes, answer: str) -> Answer | KeyReused:
    if any(hmac.compare_digest(body_digest, each) for each in asked.body_digests):
        return Answer(answer, again=True)
    return KeyReused()
