"""SQL of reconciliation: the log's own side, and what was found. Nothing here commits."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import TextClause, text

from shared.contracts.base import Source
from shared.runtime.closed_windows import Listed
from shared.runtime.db import Session

_OUTCOME = "('completed', 'failed', 'unknown')"
# What waits in the queue counts: it is on its way into the log, and its own age is watched.
_LOG = (
    "(SELECT {id} AS id, sequenced_at AS at FROM audit.entries WHERE {of} "
    "AND disclosure_id IS NOT NULL)"
)
_QUEUE = "SELECT 1 FROM audit.submissions AS s WHERE s.disclosure_id = {id} AND s.kind {kind}"
_ENTRY = "SELECT 1 FROM audit.entries AS e WHERE e.disclosure_id = {id} AND e.kind {kind}"


def _page(id_: str, of: str) -> TextClause:
    return text(
        f"SELECT DISTINCT id FROM {_LOG.format(id=id_, of=of)} AS listed "
        "WHERE at >= :start AND at < :end AND id > :after ORDER BY id LIMIT :limit"
    )


def _known(id_: str, kind: str) -> TextClause:
    entry, queue = (each.format(id=id_, kind=kind) for each in (_ENTRY, _QUEUE))
    return text(
        "SELECT w.id FROM unnest(CAST(:ids AS text[])) AS w(id) "
        f"WHERE EXISTS ({entry}) OR EXISTS ({queue})"
    )


def _told_by(source: Source) -> Listed:
    """Tellings that this service has announced; there are those of anybody."""
    said = "CAST(convert_from(leaf, 'UTF8') AS json) #>> '{event,source}'"
    of = f"CASE WHEN kind = 'told' THEN {said} = '{source.value}' ELSE false END"
    return Listed(_page("disclosure_id", of), _known("w.id", "= 'told'"))


KINDS = {
    "attempts": Listed(
        _page("disclosure_id", "kind = 'attempted'"), _known("w.id", "= 'attempted'")
    ),
    "outcomes": Listed(
        _page("disclosure_id || ' ' || kind", f"kind IN {_OUTCOME}"),
        _known("split_part(w.id, ' ', 1)", "= split_part(w.id, ' ', 2)"),
    ),
    "reads": Listed(_page("disclosure_id", "kind = 'viewed'"), _known("w.id", "= 'viewed'")),
    "told_by_notify": _told_by(Source.NOTIFY),
    "told_by_intake": _told_by(Source.INTAKE),
    "exports": Listed(_page("disclosure_id", "kind = 'exported'"), _known("w.id", "= 'exported'")),
}


@dataclass(frozen=True)
class Discrepancy:
    """What one side has and the other lacks."""

    kind: str
    subject: str
    found_at: datetime


async def last_window(session: Session) -> datetime | None:
    """Up to when everything has been compared."""
    found: datetime | None = await session.scalar(
        text("SELECT window_to FROM audit.reconciliations ORDER BY window_to DESC LIMIT 1")
    )
    return found


async def first_entry(session: Session) -> datetime | None:
    """Since when there is anything to compare."""
    found: datetime | None = await session.scalar(
        text("SELECT sequenced_at FROM audit.entries ORDER BY index LIMIT 1")
    )
    return found


async def add_window(
    session: Session, start: datetime, end: datetime, compared: int, missing: int
) -> None:
    await session.execute(
        text(
            "INSERT INTO audit.reconciliations (window_from, window_to, compared, missing) "
            "VALUES (:start, :end, :compared, :missing)"
        ),
        {"start": start, "end": end, "compared": compared, "missing": missing},
    )


async def add_missing(session: Session, kind: str, subjects: Collection[str]) -> None:
    """Note what is lacking; again, if it had been settled."""
    await session.execute(
        text(
            "INSERT INTO audit.discrepancies AS d (kind, subject) "
            "SELECT :kind, unnest(CAST(:subjects AS text[])) ON CONFLICT (kind, subject) "
            "DO UPDATE SET settled_at = NULL, found_at = excluded.found_at "
            "WHERE d.settled_at IS NOT NULL"
        ),
        {"kind": kind, "subjects": sorted(subjects)},
    )


async def settle(session: Session, kind: str, subjects: Collection[str]) -> None:
    """Both sides have these now."""
    await session.execute(
        text(
            "UPDATE audit.discrepancies SET settled_at = clock_timestamp() WHERE kind = :kind "
            "AND subject = ANY(CAST(:subjects AS text[])) AND settled_at IS NULL"
        ),
        {"kind": kind, "subjects": sorted(subjects)},
    )


async def open_discrepancies(session: Session, limit: int = 100_000) -> Sequence[Discrepancy]:
    """The oldest first."""
    rows = await session.execute(
        text(
            "SELECT kind, subject, found_at FROM audit.discrepancies WHERE settled_at IS NULL "
            "ORDER BY found_at, kind, subject LIMIT :limit"
        ),
        {"limit": limit},
    )
    return [Discrepancy(row.kind, row.subject, row.found_at) for row in rows]


async def count_open(session: Session) -> dict[str, int]:
    """How many are open, by kind."""
    rows = await session.execute(
        text(
            "SELECT kind, count(*) AS number FROM audit.discrepancies WHERE settled_at IS NULL "
            "GROUP BY kind"
        )
    )
    return {row.kind: row.number for row in rows}
