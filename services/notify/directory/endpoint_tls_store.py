"""SQL of transports: what is in force of them, by the directory's history. Nothing commits."""

from collections.abc import Collection
from datetime import datetime
from functools import lru_cache

from sqlalchemy import text

from services.notify.directory import tables as directory_tables
from services.notify.directory.authority import today
from services.notify.directory.endpoint_tls import Transport
from shared.runtime.db import Session


def transports(agencies: str) -> str:
    """A SELECT of the (agency_id, transport) in force on the day `:today`, of those whose id is
    among `agencies` (what may stand in `= ANY(…)`). Some hold `null`: `transport_of` tells."""
    # Of two terms of a field the later day's counts, of the same day the later recorded one's.
    return (
        "SELECT DISTINCT ON (agency_id) agency_id, "
        "CAST(fields -> 'transport' AS text) AS transport "
        f"FROM {directory_tables.agency_terms.fullname} WHERE agency_id = ANY({agencies}) "
        "AND jsonb_exists(fields, 'transport') AND valid_from <= CAST(:today AS date) "
        "ORDER BY agency_id, valid_from DESC, version DESC"
    )


_IN_FORCE = text(transports("CAST(:ids AS text[])"))


async def in_force(
    session: Session, agency_ids: Collection[str], now: datetime
) -> dict[str, Transport]:
    """By agency, of those that have one."""
    rows = await session.execute(_IN_FORCE, {"ids": sorted(agency_ids), "today": today(now)})
    found = {row.agency_id: transport_of(row.transport) for row in rows}
    return {agency_id: each for agency_id, each in found.items() if each is not None}


@lru_cache(maxsize=1024)
def transport_of(stored: str) -> Transport | None:
    """Remembered: every claim asks, and to parse two certificates takes 45 µs."""
    return None if stored == "null" else Transport.model_validate_json(stored)
