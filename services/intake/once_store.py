"""The SQL of Idempotency-Keys for what is done once. Runs in the caller's session."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text

from shared.runtime.db import Session


async def claim(
    session: Session,
    owner: str,
    key_digests: Sequence[bytes],
    body_digest: bytes,
    now: datetime,
    *,
    patience_ms: int,
) -> bool:
    """Take the key for this transaction; False if it was taken before.

    Waits up to `patience_ms` for a request with the same key, then raises with SQLSTATE 55P03.
    """
    await session.execute(_PATIENCE, {"patience": f"{patience_ms}ms"})
    rows = await session.execute(
        _CLAIM,
        {
            "owner": owner,
            "key_digest": key_digests[0],
            "older": list(key_digests[1:]),
            "body_digest": body_digest,
            "now": now,
        },
    )
    return rows.first() is not None


async def settle(session: Session, owner: str, key_digest: bytes, answer: str) -> None:
    """What the key's request is answered with, from now on."""
    await session.execute(_SETTLE, {"owner": owner, "key_digest": key_digest, "answer": answer})


_PATIENCE = text("SELECT set_config('lock_timeout', CAST(:patience AS text), true)")

_CLAIM = text(
    """
INSERT INTO intake.idempotency_keys (owner, key_digest, body_digest, answer, created_at)
SELECT CAST(:owner AS text), CAST(:key_digest AS bytea), CAST(:body_digest AS bytea), '',
    CAST(:now AS timestamptz)
WHERE NOT EXISTS (
    SELECT FROM intake.idempotency_keys
    WHERE owner = CAST(:owner AS text) AND key_digest = ANY(CAST(:older AS bytea[]))
)
ON CONFLICT DO NOTHING
RETURNING owner
"""
)

_SETTLE = text(
    """
UPDATE intake.idempotency_keys SET answer = CAST(:answer AS text)
WHERE owner = CAST(:owner AS text) AND key_digest = CAST(:key_digest AS bytea)
"""
)
