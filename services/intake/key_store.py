"""The SQL of Idempotency-Keys whose work is not one statement. Never commits."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from sqlalchemy import text

from shared.runtime.db import Session


class Claimed(Protocol):
    """Whose key it is, the digests of key and body, and when it came."""

    @property
    def owner(self) -> str: ...
    @property
    def key_digests(self) -> Sequence[bytes]: ...
    @property
    def body_digests(self) -> Sequence[bytes]: ...
    @property
    def now(self) -> datetime: ...


async def hold(session: Session, key_digest: bytes) -> None:
    """Let a request with the same key wait until this transaction ends."""
    number = int.from_bytes(key_digest[:8], signed=True)
    await session.execute(_HOLD, {"number": number})


async def find(
    session: Session, owner: str, key_digests: Sequence[bytes]
) -> tuple[bytes, str] | None:
    """The body digest and the answer under which the key was used."""
    rows = await session.execute(_FIND, {"owner": owner, "key_digests": list(key_digests)})
    row = rows.first()
    return None if row is None else (row.body_digest, row.answer)


async def keep(session: Session, asked: Claimed, answer: str) -> None:
    await session.execute(
        _KEEP,
        {
            "owner": asked.owner,
            "key_digest": asked.key_digests[0],
            "body_digest": asked.body_digests[0],
            "answer": answer,
            "now": asked.now,
        },
    )


_HOLD = text("SELECT pg_advisory_xact_lock(CAST(:number AS bigint))")

_FIND = text(
    """
SELECT body_digest, answer FROM intake.idempotency_keys
WHERE owner = :owner AND key_digest = ANY(CAST(:key_digests AS bytea[]))
"""
)

_KEEP = text(
    """
INSERT INTO intake.idempotency_keys (owner, key_digest, body_digest, answer, created_at)
VALUES (:owner, :key_digest, :body_digest, :answer, :now)
"""
)
