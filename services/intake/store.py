"""All SQL of intake. Runs in the caller's session and never commits.

Statements are few because a caller is on the line: creating a referral is one.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from datetime import datetime
from typing import Any

from sqlalchemy import Executable, Row, text

from services.intake.models import OUTBOX
from services.intake.records import Claim, SealedChild, StoredChild, Version
from shared.messaging.telling import first_event
from shared.runtime.db import Rows, Session
from shared.runtime.sealing import WrappedKey

Run = Callable[[Executable, Mapping[str, Any]], Awaitable[Rows]]
"""A session's `execute`, or that of a database: then the statement is its own transaction."""


async def create(
    run: Run,
    claim: Claim,
    version: Version,
    children: Sequence[SealedChild],
    event: Mapping[str, object],
    *,
    patience_ms: int,
) -> bool:
    """Claim the key, write the referral and its first event (`Outbox.first`), in one statement;
    False if the key was taken.

    Waits up to `patience_ms` for one with the same key, then raises a PostgresError (55P03).
    """
    rows = await run(
        _CREATE,
        {
            "patience": str(patience_ms),
            "key_digest": claim.key_digests[0],
            "older": list(claim.key_digests[1:]),
            "body_digest": claim.body_digests[0],
            "answer": claim.answer,
            **_version_values(version),
            **_children_values(children),
            **event,
        },
    )
    return bool(rows.one()[0])


async def find_claim(
    session: Session, owner: str, key_digests: Sequence[bytes]
) -> tuple[bytes, str] | None:
    """The body digest and the answer under which a key was taken."""
    rows = await session.execute(
        text(
            "SELECT body_digest, answer FROM intake.idempotency_keys "
            "WHERE owner = :owner AND key_digest = ANY(CAST(:digests AS bytea[]))"
        ),
        {"owner": owner, "digests": list(key_digests)},
    )
    row = rows.first()
    return None if row is None else (row.body_digest, row.answer)


async def insert_claim(session: Session, owner: str, claim: Claim, now: datetime) -> None:
    """Keep the answer that an amendment's key gave, in the transaction that gave it."""
    values = {
        "owner": owner,
        "key_digest": claim.key_digests[0],
        "body_digest": claim.body_digests[0],
        "answer": claim.answer,
        "now": now,
    }
    await session.execute(_CLAIM, values)


async def lock(session: Session, referral_id: str) -> str | None:
    """Let nobody else add a version until this transaction ends; whose the referral is."""
    owner: str | None = await session.scalar(_LOCK, {"referral_id": referral_id})
    return owner


async def read_version(
    session: Session, referral_id: str, version: int | None = None
) -> tuple[Version, Sequence[StoredChild]] | None:
    """A version, the current one by default, with its sealed documents in order."""
    found = await read_versions(session.execute, {(referral_id, version)})
    return next(iter(found.values()), None)


async def read_versions(
    run: Run, wanted: Set[tuple[str, int | None]]
) -> dict[tuple[str, int], tuple[Version, Sequence[StoredChild]]]:
    """Those of the versions that there are, by referral and number."""
    pairs = list(wanted)
    values = {"ids": [id_ for id_, _ in pairs], "versions": [number for _, number in pairs]}
    found: dict[tuple[str, int], tuple[Version, list[StoredChild]]] = {}
    for row in await run(_READ, values):
        key = (row.referral_id, row.version)
        _, children = found.setdefault(key, (_version_of(row), []))
        wrapped = WrappedKey(row.kek_version, row.wrapped, row.key_version)
        children.append(StoredChild(row.child_id, wrapped, row.sealed))
    return dict(found)


async def read_current(session: Session, referral_id: str) -> Version | None:
    """The current version without its content."""
    rows = await session.execute(_CURRENT, {"referral_id": referral_id})
    row = rows.first()
    return None if row is None else _version_of(row)


async def append_version(
    session: Session, version: Version, children: Sequence[SealedChild]
) -> None:
    """Add the next version of a referral that this session has locked."""
    await session.execute(_APPEND, _version_values(version) | _children_values(children))


def _version_values(version: Version) -> dict[str, object]:
    return {name: getattr(version, name) for name in Version.__slots__} | {
        "child_ids": list(version.child_ids)
    }


def _children_values(children: Sequence[SealedChild]) -> dict[str, object]:
    keys = [(child.child_id, child.new_key) for child in children if child.new_key is not None]
    return {
        "new_ids": [child_id for child_id, _ in keys],
        "kek_versions": [key.kek_version for _, key in keys],
        "wrapped": [key.wrapped for _, key in keys],
        "key_versions": [key.version for _, key in keys],
        "document_ids": [child.child_id for child in children],
        "sealed": [child.sealed for child in children],
    }


def _version_of(row: Row[Any]) -> Version:
    return Version(**{name: getattr(row, name) for name in Version.__slots__})


_CHILDREN = """
version AS (
    INSERT INTO intake.referral_versions
        (referral_id, version, change_id, trigger, received_at, recorded_at, recorded_by, child_ids,
            backdated)
    SELECT CAST(:referral_id AS text), CAST(:version AS integer), CAST(:change_id AS text),
        CAST(:trigger AS text), CAST(:received_at AS timestamptz),
        CAST(:recorded_at AS timestamptz), CAST(:recorded_by AS text), CAST(:child_ids AS text[]),
        CAST(:backdated AS boolean)
    FROM claimed
), keys AS (
    INSERT INTO intake.child_keys (child_id, referral_id, kek_version, wrapped, key_version)
    SELECT child_id, CAST(:referral_id AS text), kek_version, wrapped, key_version
    FROM claimed, unnest(CAST(:new_ids AS text[]), CAST(:kek_versions AS integer[]),
        CAST(:wrapped AS bytea[]), CAST(:key_versions AS integer[]))
        AS new(child_id, kek_version, wrapped, key_version)
), sealed AS (
    INSERT INTO intake.documents (child_id, version, sealed)
    SELECT child_id, CAST(:version AS integer), sealed
    FROM claimed, unnest(CAST(:document_ids AS text[]), CAST(:sealed AS bytea[]))
        AS document(child_id, sealed)
)
SELECT count(*) FROM claimed
"""

_CREATE = text(
    """
WITH patience AS MATERIALIZED (
    SELECT set_config('lock_timeout', CAST(:patience AS text), true)
), claimed AS (
    INSERT INTO intake.idempotency_keys (owner, key_digest, body_digest, answer, created_at)
    SELECT CAST(:owner AS text), CAST(:key_digest AS bytea), CAST(:body_digest AS bytea),
        CAST(:answer AS text), CAST(:recorded_at AS timestamptz)
    FROM patience
    WHERE NOT EXISTS (
        SELECT FROM intake.idempotency_keys
        WHERE owner = CAST(:owner AS text) AND key_digest = ANY(CAST(:older AS bytea[]))
    )
    ON CONFLICT DO NOTHING
    RETURNING owner
), referral AS (
    INSERT INTO intake.referrals (referral_id, number, owner, version, synthetic)
    SELECT CAST(:referral_id AS text), CAST(:number AS text), owner, CAST(:version AS integer),
        CAST(:synthetic AS boolean)
    FROM claimed
),"""
    + first_event(OUTBOX, "claimed")
    + ","
    + _CHILDREN
)

_APPEND = text(
    """
WITH claimed AS (
    UPDATE intake.referrals SET version = CAST(:version AS integer)
    WHERE referral_id = CAST(:referral_id AS text)
    RETURNING referral_id
),"""
    + _CHILDREN
)

_CLAIM = text(
    """
INSERT INTO intake.idempotency_keys (owner, key_digest, body_digest, answer, created_at)
VALUES (CAST(:owner AS text), CAST(:key_digest AS bytea), CAST(:body_digest AS bytea),
    CAST(:answer AS text), CAST(:now AS timestamptz))
"""
)

_LOCK = text("SELECT owner FROM intake.referrals WHERE referral_id = :referral_id FOR UPDATE")

_CURRENT = text(
    """
SELECT r.referral_id, r.number, r.owner, r.version, r.synthetic, v.change_id, v.trigger,
    v.received_at, v.recorded_at, v.recorded_by, v.child_ids, v.backdated
FROM intake.referrals AS r
JOIN intake.referral_versions AS v ON v.referral_id = r.referral_id AND v.version = r.version
WHERE r.referral_id = :referral_id
"""
)

_READ = text(
    """
SELECT r.referral_id, r.number, r.owner, r.synthetic, v.version, v.change_id, v.trigger,
    v.received_at, v.recorded_at, v.recorded_by, v.child_ids, v.backdated,
    child.child_id, k.kek_version, k.wrapped, k.key_version, d.sealed
FROM unnest((SELECT CAST(:ids AS text[])), (SELECT CAST(:versions AS integer[]))) AS wanted(id, n)
CROSS JOIN LATERAL (
    SELECT * FROM intake.referrals WHERE referral_id = wanted.id OFFSET 0
) AS r
CROSS JOIN LATERAL (
    SELECT * FROM intake.referral_versions
    WHERE referral_id = r.referral_id AND version = coalesce(wanted.n, r.version) OFFSET 0
) AS v
CROSS JOIN unnest(v.child_ids) WITH ORDINALITY AS child(child_id, position)
CROSS JOIN LATERAL (
    SELECT * FROM intake.child_keys WHERE child_id = child.child_id OFFSET 0
) AS k
CROSS JOIN LATERAL (
    SELECT * FROM intake.documents
    WHERE child_id = child.child_id AND version = v.version OFFSET 0
) AS d
ORDER BY r.referral_id, v.version, child.position
"""
)
"""OFFSET 0: each by its key. A join planned while the tables were small reads them whole. Arrays
as selects: then their length is no part of the plan, which is kept, not made for each read."""
