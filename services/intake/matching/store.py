"""The SQL of the blind index. Runs in the caller's session and never commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from services.intake.records import StoredChild
from shared.runtime.db import Session
from shared.runtime.sealing import WrappedKey

_LOCK = 0x484C0003
_MOST = 20
"""Candidates that one digest of a child may bring: what half the state is called says nothing."""


@dataclass(frozen=True, slots=True)
class Unindexed:
    """A child whose referral's version is not in the index yet."""

    referral_id: str
    version: int
    child: StoredChild


@dataclass(frozen=True, slots=True)
class Entry:
    """One digest of one child."""

    child_id: str
    referral_id: str
    kind: str
    digest: bytes


async def one_at_a_time(session: Session) -> None:
    """Index, or answer, alone until this transaction ends: two that cannot see each other's
    children would miss that they are one."""
    await session.execute(_ALONE, {"lock": _LOCK})


async def forget_older_keys(session: Session, key_version: int) -> None:
    """Have everything indexed again that was indexed under an older key."""
    await session.execute(_FORGET, {"key_version": key_version})


async def unindexed(session: Session, limit: int) -> Sequence[Unindexed]:
    """The children of up to `limit` referrals, which stay locked; what somebody amends just now
    is left for later."""
    rows = await session.execute(_UNINDEXED, {"limit": limit})
    return [
        Unindexed(
            row.referral_id,
            row.version,
            StoredChild(
                row.child_id, WrappedKey(row.kek_version, row.wrapped, row.key_version), row.sealed
            ),
        )
        for row in rows
    ]


async def index(
    session: Session,
    children: Sequence[Unindexed],
    entries: Sequence[Entry],
    person_ids: Sequence[str],
    key_version: int,
    now: datetime,
) -> None:
    """Replace what the index holds of these children, and find whom each may be. A child that is
    new gets the person id at its place."""
    ids = {
        "child_ids": [each.child.child_id for each in children],
        "referral_ids": [each.referral_id for each in children],
        "person_ids": list(person_ids),
    }
    rows = {
        "child_ids": [each.child_id for each in entries],
        "referral_ids": [each.referral_id for each in entries],
        "kinds": [each.kind for each in entries],
        "digests": [each.digest for each in entries],
    }
    await session.execute(_PEOPLE, ids)
    await session.execute(_CLEAR, {"child_ids": ids["child_ids"]})
    await session.execute(_INDEX, rows)
    await session.execute(_FIND, rows | {"now": now, "most": _MOST})
    await session.execute(
        _INDEXED,
        {
            "referral_ids": [each.referral_id for each in children],
            "versions": [each.version for each in children],
            "key_version": key_version,
        },
    )


async def ages(session: Session) -> dict[str, float]:
    """Seconds that the oldest version has waited for the index, and candidate for an answer."""
    rows = await session.execute(_AGES)
    return {row.what: float(row.age) for row in rows}


_ALONE = text("SELECT pg_advisory_xact_lock(CAST(:lock AS bigint))")

_FORGET = text(
    """
UPDATE intake.referrals SET indexed_version = 0
WHERE indexed_key < :key_version AND indexed_version > 0
"""
)

_UNINDEXED = text(
    """
WITH due AS MATERIALIZED (
    SELECT referral_id, version FROM intake.referrals
    WHERE indexed_version < version AND NOT synthetic
    ORDER BY referral_id LIMIT :limit
    FOR UPDATE SKIP LOCKED
)
SELECT due.referral_id, due.version, child.child_id, k.kek_version, k.wrapped, k.key_version,
    d.sealed
FROM due
CROSS JOIN LATERAL (
    SELECT child_ids FROM intake.referral_versions
    WHERE referral_id = due.referral_id AND version = due.version OFFSET 0
) AS v
CROSS JOIN unnest(v.child_ids) AS child(child_id)
CROSS JOIN LATERAL (
    SELECT * FROM intake.child_keys WHERE child_id = child.child_id OFFSET 0
) AS k
CROSS JOIN LATERAL (
    SELECT sealed FROM intake.documents
    WHERE child_id = child.child_id AND version = due.version OFFSET 0
) AS d
"""
)
"""OFFSET 0: each by its key. A join planned while the tables were small read all documents."""

_PEOPLE = text(
    """
INSERT INTO intake.people (child_id, referral_id, person_id)
SELECT * FROM unnest(CAST(:child_ids AS text[]), CAST(:referral_ids AS text[]),
    CAST(:person_ids AS text[]))
ON CONFLICT DO NOTHING
"""
)

_CLEAR = text(
    """
WITH digests AS (
    DELETE FROM intake.blind_index WHERE child_id = ANY(CAST(:child_ids AS text[]))
)
DELETE FROM intake.candidates WHERE answered_at IS NULL
    AND (child_id = ANY(CAST(:child_ids AS text[]))
        OR other_child_id = ANY(CAST(:child_ids AS text[])))
"""
)

_NEW = """
unnest(CAST(:child_ids AS text[]), CAST(:referral_ids AS text[]), CAST(:kinds AS text[]),
    CAST(:digests AS bytea[])) AS new(child_id, referral_id, kind, digest)
"""

_INDEX = text(
    f"""
INSERT INTO intake.blind_index (child_id, referral_id, kind, digest)
SELECT child_id, referral_id, kind, digest FROM {_NEW}
"""
)

_FIND = text(
    f"""
INSERT INTO intake.candidates (child_id, other_child_id, because, found_at)
SELECT least(new.child_id, other.child_id), greatest(new.child_id, other.child_id),
    array_agg(DISTINCT new.kind ORDER BY new.kind), CAST(:now AS timestamptz)
FROM {_NEW}
CROSS JOIN LATERAL (
    SELECT b.child_id FROM intake.blind_index AS b
    WHERE b.digest = new.digest AND b.referral_id <> new.referral_id
    LIMIT :most
) AS other
JOIN intake.people AS one ON one.child_id = new.child_id
JOIN intake.people AS two ON two.child_id = other.child_id
WHERE one.person_id <> two.person_id AND new.kind <> 'case'
GROUP BY 1, 2
ON CONFLICT DO NOTHING
"""
)

_INDEXED = text(
    """
UPDATE intake.referrals AS r SET indexed_version = done.version, indexed_key = :key_version
FROM (SELECT DISTINCT referral_id, version FROM unnest(CAST(:referral_ids AS text[]),
    CAST(:versions AS integer[])) AS each(referral_id, version)) AS done
WHERE r.referral_id = done.referral_id
"""
)

_AGES = text(
    """
SELECT what, greatest(0, coalesce(extract(epoch FROM clock_timestamp() - since), 0)) AS age
FROM (
    SELECT 'unindexed', min(v.recorded_at) FROM intake.referrals AS r
    JOIN intake.referral_versions AS v
        ON v.referral_id = r.referral_id AND v.version = r.version
    WHERE r.indexed_version < r.version AND NOT r.synthetic
    UNION ALL
    SELECT 'candidate', min(found_at) FROM intake.candidates WHERE answered_at IS NULL
) AS oldest(what, since)
"""
)
