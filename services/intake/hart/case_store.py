"""All SQL of flagged cases. Runs in the caller's session, never commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, text

from services.intake.hart.cases import Flag
from services.intake.hart.models import case_flag_links, case_flags
from services.intake.matching.store import one_at_a_time
from shared.runtime.db import Session
from shared.runtime.sealing import WrappedKey

MOST = 500
BY_ITSELF = "intake"
"""Who links a flag whose case a referral names."""


@dataclass(frozen=True, slots=True)
class FlagRow:
    """A flag as it lies in the table."""

    flag_id: str
    case_index: bytes
    ordinal: int
    key: WrappedKey
    sealed: bytes
    flagged_at: datetime
    recorded_by: str
    recorded_at: datetime


async def hold_case(session: Session, indexes: Sequence[bytes]) -> tuple[Flag, int] | None:
    """A case's latest flag and its ordinal; nobody else flags the case until this one ends."""
    values = {"name": indexes[0].hex(), "indexes": list(indexes)}
    await session.execute(_LOCK, values)
    row = (await session.execute(_LATEST, {"indexes": list(indexes)})).first()
    return None if row is None else (_flag(row), row.ordinal)


async def hold_flag(session: Session, flag_id: str) -> Flag | None:
    """A flag that nobody else links or finds until this transaction ends."""
    await session.execute(_HOLD, {"flag_id": flag_id})
    row = (await session.execute(_ONE, {"flag_id": flag_id})).first()
    return None if row is None else _flag(row)


async def read(session: Session, flag_id: str) -> tuple[WrappedKey, bytes] | None:
    """What opens a flag, and what is sealed in it."""
    row = (await session.execute(_READ, {"flag_id": flag_id})).first()
    if row is None:
        return None
    return WrappedKey(row.kek_version, row.wrapped, row.key_version), row.sealed


async def linked_to(session: Session, flag_id: str) -> str | None:
    """The DCF-737 of a flag, if it has one."""
    referral_id: str | None = await session.scalar(_LINKED_TO, {"flag_id": flag_id})
    return referral_id


async def raise_flag(session: Session, row: FlagRow) -> None:
    await session.execute(
        insert(case_flags).values(
            flag_id=row.flag_id,
            case_index=row.case_index,
            ordinal=row.ordinal,
            kek_version=row.key.kek_version,
            wrapped=row.key.wrapped,
            key_version=row.key.version,
            sealed=row.sealed,
            flagged_at=row.flagged_at,
            recorded_by=row.recorded_by,
            recorded_at=row.recorded_at,
        )
    )


async def referral_exists(session: Session, referral_id: str) -> bool:
    return bool(await session.scalar(_EXISTS, {"referral_id": referral_id}))


async def link(session: Session, flag_id: str, referral_id: str, actor: str, now: datetime) -> None:
    """The flagged case has its 737. The flag is held and has none yet. Of a 737 whose children are
    all destroyed the flag's content goes with them."""
    await session.execute(
        insert(case_flag_links).values(
            flag_id=flag_id, referral_id=referral_id, recorded_by=actor, recorded_at=now
        )
    )
    await forget(session, [referral_id])


async def forget(session: Session, referral_ids: Sequence[str]) -> None:
    """Destroy the keys of the flags that these referrals answer, where no child is left of one."""
    await session.execute(_FORGET, {"referral_ids": list(referral_ids)})


async def link_cases(session: Session, named: Sequence[tuple[str, bytes]], now: datetime) -> None:
    """Referrals that name their case, each with an index of it: link the flags that wait for one.

    A referral that is some flag's already is not the 737 of a newer one.
    """
    values: dict[str, Any] = {
        "referral_ids": [referral_id for referral_id, _ in named],
        "indexes": [index for _, index in named],
        "actor": BY_ITSELF,
        "now": now,
    }
    await session.execute(_LINK_CASES, values)
    await forget(session, values["referral_ids"])


async def find_referral(session: Session, indexes: Sequence[bytes]) -> str | None:
    """A referral that names this case, and is no flag's yet; the earliest. Alone until the
    transaction ends, so that none is indexed meanwhile."""
    await one_at_a_time(session)
    found: str | None = await session.scalar(_NAMED, {"indexes": list(indexes)})
    return found


async def unlinked(session: Session) -> list[Flag]:
    """Flags without a 737, oldest first, some at a time."""
    return [_flag(row) for row in await session.execute(_UNLINKED, {"most": MOST})]


async def hold_waiting(session: Session, before: datetime) -> list[Flag]:
    """Flags raised before, without a 737, not found yet, and not in somebody else's hands."""
    rows = await session.execute(_WAITING, {"before": before, "most": MOST})
    return [_flag(row) for row in rows]


async def mark_found(session: Session, flag_ids: Sequence[str], now: datetime) -> list[str]:
    """Those of them that nobody has found before."""
    rows = await session.execute(_FIND, {"flag_ids": list(flag_ids), "now": now})
    return [row.flag_id for row in rows]


async def oldest_overdue(session: Session, before: datetime) -> float:
    """Seconds by which the longest-waiting flag that is not found yet was raised before."""
    age = await session.scalar(_OVERDUE, {"before": before})
    return float(age or 0.0)


def _flag(row: Row[Any]) -> Flag:
    return Flag(row.flag_id, row.flagged_at, row.linked, row.found)


_LOCK = text(
    "SELECT pg_advisory_xact_lock(hashtextextended('intake.case ' || CAST(:name AS text), 0))"
)

_FLAGS = """
SELECT f.flag_id, f.ordinal, f.flagged_at,
    EXISTS (SELECT FROM intake.case_flag_links AS l WHERE l.flag_id = f.flag_id) AS linked,
    EXISTS (SELECT FROM intake.case_flags_found AS d WHERE d.flag_id = f.flag_id) AS found
FROM intake.case_flags AS f
"""

_NO_LINK = "NOT EXISTS (SELECT FROM intake.case_flag_links AS l WHERE l.flag_id = f.flag_id)"
_NOT_FOUND = "NOT EXISTS (SELECT FROM intake.case_flags_found AS d WHERE d.flag_id = f.flag_id)"

_LATEST = text(
    f"{_FLAGS} WHERE f.case_index = ANY(CAST(:indexes AS bytea[])) ORDER BY f.ordinal DESC LIMIT 1"
)
_ONE = text(f"{_FLAGS} WHERE f.flag_id = CAST(:flag_id AS text)")
_UNLINKED = text(f"{_FLAGS} WHERE {_NO_LINK} ORDER BY f.flagged_at, f.flag_id LIMIT :most")
_WAITING = text(
    f"{_FLAGS} WHERE f.flagged_at <= CAST(:before AS timestamptz) AND {_NO_LINK} AND {_NOT_FOUND} "
    "ORDER BY f.flagged_at, f.flag_id LIMIT :most FOR NO KEY UPDATE OF f SKIP LOCKED"
)
_OVERDUE = text(
    "SELECT extract(epoch FROM CAST(:before AS timestamptz) - min(f.flagged_at)) "
    "FROM intake.case_flags AS f "
    f"WHERE f.flagged_at <= CAST(:before AS timestamptz) AND {_NO_LINK} AND {_NOT_FOUND}"
)
_HOLD = text(
    "SELECT 1 FROM intake.case_flags WHERE flag_id = CAST(:flag_id AS text) FOR NO KEY UPDATE"
)
_FREE = "NOT EXISTS (SELECT FROM intake.case_flag_links AS l WHERE l.referral_id = n.referral_id)"
_LINK_CASES = text(
    f"""
INSERT INTO intake.case_flag_links (flag_id, referral_id, recorded_by, recorded_at)
SELECT DISTINCT ON (f.flag_id) f.flag_id, n.referral_id, CAST(:actor AS text),
    CAST(:now AS timestamptz)
FROM unnest(CAST(:referral_ids AS text[]), CAST(:indexes AS bytea[])) AS n(referral_id, digest)
JOIN intake.case_flags AS f ON f.case_index = n.digest
WHERE {_NO_LINK} AND {_FREE}
ORDER BY f.flag_id, n.referral_id
ON CONFLICT DO NOTHING
"""
)
_FORGET = text(
    """
UPDATE intake.case_flags AS f SET wrapped = '', kek_version = 0
FROM intake.case_flag_links AS l
WHERE l.referral_id = ANY(CAST(:referral_ids AS text[])) AND f.flag_id = l.flag_id
    AND NOT EXISTS (
        SELECT FROM intake.child_keys AS k
        WHERE k.referral_id = l.referral_id AND k.wrapped <> ''
    )
"""
)
_NAMED = text(
    f"""
SELECT n.referral_id FROM intake.blind_index AS n
JOIN intake.referral_versions AS v ON v.referral_id = n.referral_id AND v.version = 1
WHERE n.digest = ANY(CAST(:indexes AS bytea[])) AND {_FREE}
ORDER BY v.recorded_at LIMIT 1
"""
)
_READ = text(
    "SELECT kek_version, wrapped, key_version, sealed FROM intake.case_flags "
    "WHERE flag_id = CAST(:flag_id AS text)"
)
_LINKED_TO = text(
    "SELECT referral_id FROM intake.case_flag_links WHERE flag_id = CAST(:flag_id AS text)"
)
_EXISTS = text(
    "SELECT EXISTS (SELECT FROM intake.referrals WHERE referral_id = CAST(:referral_id AS text))"
)
_FIND = text(
    """
INSERT INTO intake.case_flags_found (flag_id, found_at)
SELECT flag_id, CAST(:now AS timestamptz) FROM unnest(CAST(:flag_ids AS text[])) AS due(flag_id)
ON CONFLICT DO NOTHING RETURNING flag_id
"""
)
