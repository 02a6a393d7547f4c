"""SQL of transports: what is in force of them, by the directory's history. Nothing commits."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache

from sqlalchemy import text

from services.notify.delivery.attempts import Attempt
from services.notify.directory import tables as directory_tables
from services.notify.directory.authority import today
from services.notify.directory.endpoint_tls import Transport
from shared.runtime.db import Session

# Of two terms of a field the later day's counts, of the same day the later recorded one's.
_IN_FORCE = text(
    "SELECT DISTINCT ON (agency_id) agency_id, CAST(fields -> 'transport' AS text) AS transport "
    f"FROM {directory_tables.agency_terms.fullname} WHERE agency_id = ANY(CAST(:ids AS text[])) "
    "AND jsonb_exists(fields, 'transport') AND valid_from <= CAST(:today AS date) "
    "ORDER BY agency_id, valid_from DESC, version DESC"
)


async def in_force(
    session: Session, agency_ids: Collection[str], now: datetime
) -> dict[str, Transport]:
    """By agency, of those that have one. In the transaction that claims: its agencies are locked,
    so none changes between the claim and this."""
    rows = await session.execute(_IN_FORCE, {"ids": sorted(agency_ids), "today": today(now)})
    return {row.agency_id: _read(row.transport) for row in rows if row.transport != "null"}


@lru_cache(maxsize=1024)
def _read(stored: str) -> Transport:
    """Remembered: every claim asks, and to parse two certificates takes 45 µs."""
    return Transport.model_validate_json(stored)


async def with_transports(
    session: Session, attempts: Sequence[Attempt], now: datetime
) -> tuple[Attempt, ...]:
    found = await in_force(session, {attempt.agency_id for attempt in attempts}, now)
    if not found:
        return tuple(attempts)
    return tuple(replace(attempt, transport=found.get(attempt.agency_id)) for attempt in attempts)
