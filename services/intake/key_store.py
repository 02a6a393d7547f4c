"""The SQL of Idempotency-Keys whose work is not one statement. Never commits."""

from datetime import datetime

from sqlalchemy import text

from services.intake.records import Claim
from shared.runtime.db import Session


async def claim(
    session: Session, owner: str, wanted: Claim, now: datetime, *, patience_ms: int
) -> bool:
    """Take the key for this transaction; False if it was taken before.

    Waits up to `patience_ms` for a request with the same key, and so does every later statement of
    the transaction for its locks; then asyncpg.PostgresError with SQLSTATE 55P03.
    """
    rows = await session.execute(
        _CLAIM,
        {
            "patience": f"{patience_ms}ms",
            "owner": owner,
            "key_digest": wanted.key_digests[0],
            "older": list(wanted.key_digests[1:]),
            "body_digest": wanted.body_digests[0],
            "now": now,
        },
    )
    return rows.first() is not None


async def settle(session: Session, owner: str, wanted: Claim, answer: str) -> None:
    """What the key's request is answered with, from now on."""
    values = {"owner": owner, "key_digest": wanted.key_digests[0], "answer": answer}
    await session.execute(_SETTLE, values)


_CLAIM = text(
    """
WITH patience AS MATERIALIZED (
    SELECT set_config('lock_timeout', CAST(:patience AS text), true)
)
INSERT INTO intake.idempotency_keys (owner, key_digest, body_digest, answer, created_at)
SELECT CAST(:owner AS text), CAST(:key_digest AS bytea), CAST(:body_digest AS bytea), '',
    CAST(:now AS timestamptz)
FROM patience
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
