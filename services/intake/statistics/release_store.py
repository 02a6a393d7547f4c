"""SQL of releases and of exports. What is here is insert-once; nothing commits."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import text

from services.intake.statistics.records import (
    Disclosure,
    Export,
    ExportKind,
    Format,
    Reason,
    Release,
)
from services.intake.statistics.tables import Row, Table
from shared.runtime.db import Session


async def released_years(session: Session) -> frozenset[int]:
    """The years of which there is a release."""
    return frozenset(await session.scalars(_RELEASED_YEARS))


async def read_release(session: Session, number: int) -> Release | None:
    rows = [_release(row) for row in await session.execute(_READ_RELEASE, {"number": number})]
    return rows[0] if rows else None


async def read_releases(session: Session, year: int) -> list[Release]:
    """Every release of a year, the first one first."""
    return [_release(row) for row in await session.execute(_READ_RELEASES, {"year": year})]


async def latest_published(session: Session) -> list[Release]:
    """Of each year its last release that was not held back."""
    return [_release(row) for row in await session.execute(_LATEST)]


async def find_key(
    session: Session, owner: str, key_digests: Sequence[bytes]
) -> tuple[bytes, int] | None:
    """The body digest and the number of the release that a key has made."""
    rows = await session.execute(_FIND_RELEASE, {"owner": owner, "digests": list(key_digests)})
    row = rows.first()
    return None if row is None else (bytes(row.body_digest), row.number)


async def next_number(session: Session) -> int:
    return int(await session.scalar(_NEXT) or 1)


async def last_change(session: Session) -> int:
    return int(await session.scalar(_LAST_CHANGE) or 0)


async def insert_release(
    session: Session, release: Release, key_digest: bytes, body_digest: bytes
) -> None:
    await session.execute(
        _INSERT_RELEASE,
        {
            "number": release.number,
            "year": release.year,
            "made_at": release.made_at,
            "made_by": release.made_by,
            "reason": release.reason.value,
            "tables": json.dumps([asdict(table) for table in release.tables]),
            "withheld": None if release.withheld is None else sorted(release.withheld),
            "through_change": release.through_change,
            "key_digest": key_digest,
            "body_digest": body_digest,
        },
    )


async def count_changes(
    session: Session, year: int, after: int, through: int
) -> list[tuple[str, tuple[str, ...], int]]:
    """Causes of what changed in a year between two releases, with columns and how many rows."""
    values = {"year": year, "after": after, "through": through}
    rows = await session.execute(_COUNT_CHANGES, values)
    return [(row.cause, tuple(row.columns), int(row.n)) for row in rows]


async def find_export_key(
    session: Session, owner: str, key_digests: Sequence[bytes]
) -> tuple[bytes, str] | None:
    """The body digest and the id of the export that a key has asked for."""
    rows = await session.execute(_FIND_EXPORT, {"owner": owner, "digests": list(key_digests)})
    row = rows.first()
    return None if row is None else (bytes(row.body_digest), row.export_id)


async def insert_export(
    session: Session, export: Export, key_digest: bytes, body_digest: bytes
) -> None:
    await session.execute(
        _INSERT_EXPORT,
        {
            "export_id": export.export_id,
            "kind": export.kind.value,
            "year": export.year,
            "month": export.month,
            "format": export.format.value,
            "asked_by": export.asked_by,
            "asked_at": export.asked_at,
            "key_digest": key_digest,
            "body_digest": body_digest,
        },
    )


async def read_export(session: Session, export_id: str) -> Export | None:
    rows = await session.execute(_READ_EXPORT, {"export_id": export_id})
    row = rows.first()
    if row is None:
        return None
    return Export(
        row.export_id,
        ExportKind(row.kind),
        row.year,
        row.month,
        Format(row.format),
        row.asked_by,
        row.asked_at,
        row.approved_by,
        row.approved_at,
    )


async def approve(session: Session, export_id: str, who: str, now: datetime) -> None:
    """Insert the approval, unless there is one, or `who` is the person that asked."""
    await session.execute(_APPROVE, {"export_id": export_id, "who": who, "now": now})


async def insert_disclosure(session: Session, disclosure: Disclosure) -> bool:
    """Record an answer with exact figures; False if this very one is recorded already."""
    values = {name: getattr(disclosure, name) for name in Disclosure.__slots__}
    recorded = await session.execute(
        _INSERT_DISCLOSURE, values | {"tables": list(disclosure.tables)}
    )
    return recorded.first() is not None


def _release(row: Any) -> Release:
    return Release(
        row.number,
        row.year,
        row.made_at,
        row.made_by,
        Reason(row.reason),
        tuple(_table(each) for each in json.loads(row.tables)),
        None if row.withheld is None else frozenset(row.withheld),
        row.through_change,
    )


def _table(stored: dict[str, Any]) -> Table:
    rows = tuple(Row(**row) for row in stored["rows"])
    return Table(stored["name"], stored["title"], rows, stored["of"], stored["whole"])


_COLUMNS = (
    "SELECT number, year, made_at, made_by, reason, CAST(tables AS text) AS tables, withheld, "
    "through_change FROM intake.statistics_releases "
)
_RELEASED_YEARS = text("SELECT DISTINCT year FROM intake.statistics_releases")
_READ_RELEASE = text(_COLUMNS + "WHERE number = :number")
_READ_RELEASES = text(_COLUMNS + "WHERE year = :year ORDER BY number")
_LATEST = text(
    _COLUMNS + "WHERE number IN (SELECT max(number) FROM intake.statistics_releases "
    "WHERE withheld IS NOT NULL GROUP BY year) ORDER BY year"
)
_FIND_RELEASE = text(
    "SELECT body_digest, number FROM intake.statistics_releases "
    "WHERE made_by = :owner AND key_digest = ANY(CAST(:digests AS bytea[]))"
)
_NEXT = text("SELECT coalesce(max(number), 0) + 1 FROM intake.statistics_releases")
_LAST_CHANGE = text("SELECT max(id) FROM intake.statistics_changes")
_INSERT_RELEASE = text(
    "INSERT INTO intake.statistics_releases (number, year, made_at, made_by, reason, tables, "
    "withheld, through_change, key_digest, body_digest) VALUES (:number, :year, :made_at, "
    ":made_by, :reason, CAST(CAST(:tables AS text) AS jsonb), CAST(:withheld AS text[]), "
    ":through_change, :key_digest, :body_digest)"
)
_COUNT_CHANGES = text(
    "SELECT cause, columns, count(*) AS n FROM intake.statistics_changes "
    "WHERE year = :year AND id > :after AND id <= :through "
    "GROUP BY cause, columns ORDER BY cause, columns"
)
_FIND_EXPORT = text(
    "SELECT body_digest, export_id FROM intake.statistics_exports "
    "WHERE asked_by = :owner AND key_digest = ANY(CAST(:digests AS bytea[]))"
)
_INSERT_EXPORT = text(
    "INSERT INTO intake.statistics_exports (export_id, kind, year, month, format, asked_by, "
    "asked_at, key_digest, body_digest) VALUES (:export_id, :kind, :year, :month, :format, "
    ":asked_by, :asked_at, :key_digest, :body_digest)"
)
_READ_EXPORT = text(
    "SELECT e.export_id, e.kind, e.year, e.month, e.format, e.asked_by, e.asked_at, "
    "a.approved_by, a.approved_at FROM intake.statistics_exports AS e "
    "LEFT JOIN intake.statistics_approvals AS a ON a.export_id = e.export_id "
    "WHERE e.export_id = :export_id"
)
_APPROVE = text(
    "INSERT INTO intake.statistics_approvals (export_id, approved_by, approved_at) "
    "SELECT export_id, :who, :now FROM intake.statistics_exports "
    "WHERE export_id = :export_id AND asked_by <> :who ON CONFLICT DO NOTHING"
)
_INSERT_DISCLOSURE = text(
    "INSERT INTO intake.statistics_disclosures (disclosure_id, export_id, kind, actor, actor_kind, "
    "approved_by, authority, purpose, tables, commitment, exported_at) VALUES (:disclosure_id, "
    ":export_id, :kind, :actor, :actor_kind, :approved_by, :authority, :purpose, "
    "CAST(:tables AS text[]), :commitment, :exported_at) ON CONFLICT DO NOTHING "
    "RETURNING disclosure_id"
)
