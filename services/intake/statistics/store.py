"""SQL of the coded facts: what waits to be tallied, the rows, their changes. Never commits."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text

from services.intake.records import StoredChild
from services.intake.statistics.facts import Facts
from services.intake.statistics.records import Pending, Tallied
from services.intake.statistics.restating import Change
from shared.runtime.db import Session
from shared.runtime.sealing import WrappedKey


async def hold(session: Session) -> None:
    """Let nobody else tally or release until this transaction ends."""
    await session.execute(_HOLD)


async def take_pending(session: Session, now: datetime, limit: int) -> list[Pending]:
    """Referrals to be tallied, at most `limit`, each locked: no amendment passes until the commit.

    What is taken is marked as done in this transaction, before anything of it is read, so that a
    change that commits meanwhile waits again.
    """
    taken = list(await session.execute(_LOCK_WAITING, {"now": now, "limit": limit}))
    ids = [row.referral_id for row in taken]
    if not ids:
        return []
    await session.execute(_MARK_TALLIED, {"ids": ids})
    await session.execute(_DROP_RECOUNTS, {"ids": ids, "now": now})
    again = {row.referral_id: row.again for row in taken}
    found: dict[str, list[Any]] = {}
    for row in await session.execute(_READ_PENDING, {"ids": ids}):
        found.setdefault(row.referral_id, []).append(row)
    return [_pending(rows, again[referral_id]) for referral_id, rows in found.items()]


async def age(session: Session) -> float:
    """Seconds that the oldest version has waited to be tallied; 0 when none does."""
    return max(0.0, float(await session.scalar(_AGE) or 0))


async def read_facts(session: Session, children: Sequence[bytes]) -> dict[bytes, Tallied]:
    """The rows that there are, by child."""
    rows = await session.execute(_READ_FACTS, {"children": list(children)})
    return {
        bytes(row.child): Tallied(
            bytes(row.child), bytes(row.referral), bytes(row.person), _facts(row)
        )
        for row in rows
    }


async def write_facts(session: Session, rows: Sequence[Tallied]) -> None:
    """Insert or replace."""
    if rows:
        await session.execute(_WRITE_FACTS, {"rows": json.dumps([_row(each) for each in rows])})


async def delete_facts(session: Session, children: Sequence[bytes]) -> None:
    if children:
        await session.execute(_DELETE_FACTS, {"children": list(children)})


async def add_changes(session: Session, changes: Iterable[Change], now: datetime) -> None:
    rows = [
        {"year": each.year, "cause": each.cause, "columns": list(each.columns)} for each in changes
    ]
    if rows:
        await session.execute(_ADD_CHANGES, {"rows": json.dumps(rows), "now": now})


async def forget(session: Session) -> None:
    """Drop every row and let every referral wait again: after the statistics key was renewed."""
    await hold(session)
    await session.execute(_FORGET_FACTS)
    await session.execute(_FORGET_COUNTS)
    await session.execute(_FORGET_TALLIES)


def _pending(rows: Sequence[Any], again: bool) -> Pending:
    first = rows[0]
    children = [
        StoredChild(
            row.child_id, WrappedKey(row.kek_version, row.wrapped, row.key_version), row.sealed
        )
        for row in rows
        if row.sealed is not None
    ]
    return Pending(
        first.referral_id,
        first.version,
        first.synthetic,
        first.received_at,
        first.child_ids,
        children,
        again,
    )


def _facts(row: Any) -> Facts:
    return Facts(
        row.month,
        row.race,
        row.age_band,
        row.residence,
        row.gender,
        row.ht_type,
        tuple(row.venues),
        tuple(row.towns),
        None if row.facility is None else bytes(row.facility),
        row.identified,
    )


def _row(tallied: Tallied) -> dict[str, object]:
    facts = tallied.facts
    return {
        "child": _hex(tallied.child),
        "referral": _hex(tallied.referral),
        "person": _hex(tallied.person),
        "month": facts.month,
        "race": facts.race,
        "age_band": facts.age_band,
        "residence": facts.residence,
        "gender": facts.gender,
        "ht_type": facts.ht_type,
        "venues": facts.venues,
        "towns": facts.towns,
        "facility": None if facts.facility is None else _hex(facts.facility),
        "identified": facts.identified,
    }


def _hex(key: bytes) -> str:
    """How PostgreSQL reads a bytea."""
    return "\\x" + key.hex()


_HOLD = text("SELECT pg_advisory_xact_lock(hashtextextended('hartline intake statistics', 0))")

_LOCK_WAITING = text(
    """
SELECT r.referral_id, r.tallied >= r.version AS again FROM intake.referrals AS r
WHERE r.referral_id IN (
    SELECT referral_id FROM intake.referrals WHERE tallied < version
    UNION
    SELECT referral_id FROM intake.statistics_recounts WHERE due_at <= :now
    LIMIT :limit
)
ORDER BY r.referral_id
FOR UPDATE
"""
)

_MARK_TALLIED = text(
    "UPDATE intake.referrals SET tallied = version "
    "WHERE referral_id = ANY(CAST(:ids AS text[])) AND tallied < version"
)

_DROP_RECOUNTS = text(
    "DELETE FROM intake.statistics_recounts "
    "WHERE due_at <= :now AND referral_id = ANY(CAST(:ids AS text[]))"
)

_READ_PENDING = text(
    """
SELECT r.referral_id, r.version, r.synthetic, v.received_at, v.child_ids,
    child.child_id, k.kek_version, k.wrapped, k.key_version, d.sealed
FROM intake.referrals AS r
JOIN intake.referral_versions AS v ON v.referral_id = r.referral_id AND v.version = r.version
CROSS JOIN unnest(v.child_ids) AS child(child_id)
LEFT JOIN (intake.child_keys AS k JOIN intake.documents AS d ON d.child_id = k.child_id)
    ON k.child_id = child.child_id AND d.version = v.version
WHERE r.referral_id = ANY(CAST(:ids AS text[]))
"""
)

_AGE = text(
    """
SELECT extract(epoch FROM clock_timestamp() - min(v.recorded_at)) FROM intake.referrals AS r
JOIN intake.referral_versions AS v ON v.referral_id = r.referral_id AND v.version = r.version
WHERE r.tallied < r.version
"""
)

_READ_FACTS = text(
    "SELECT child, referral, person, month, race, age_band, residence, gender, ht_type, "
    "venues, towns, facility, identified FROM intake.statistics_facts "
    "WHERE child = ANY(CAST(:children AS bytea[]))"
)

_WRITE_FACTS = text(
    """
INSERT INTO intake.statistics_facts AS f
SELECT * FROM jsonb_populate_recordset(
    CAST(NULL AS intake.statistics_facts), CAST(CAST(:rows AS text) AS jsonb))
ON CONFLICT (child) DO UPDATE SET
    (referral, person, month, race, age_band, residence, gender, ht_type, venues, towns, facility,
        identified)
    = (excluded.referral, excluded.person, excluded.month, excluded.race, excluded.age_band,
        excluded.residence, excluded.gender, excluded.ht_type, excluded.venues, excluded.towns,
        excluded.facility, excluded.identified)
"""
)

_DELETE_FACTS = text(
    "DELETE FROM intake.statistics_facts WHERE child = ANY(CAST(:children AS bytea[]))"
)

_ADD_CHANGES = text(
    """
INSERT INTO intake.statistics_changes (year, cause, columns, recorded_at)
SELECT year, cause, columns, CAST(:now AS timestamptz)
FROM jsonb_to_recordset(CAST(CAST(:rows AS text) AS jsonb))
    AS change(year integer, cause text, columns text[])
"""
)

_FORGET_FACTS = text("DELETE FROM intake.statistics_facts")
_FORGET_COUNTS = text("DELETE FROM intake.statistics_counts")
_FORGET_TALLIES = text("UPDATE intake.referrals SET tallied = 0")
