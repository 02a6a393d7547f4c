"""SQL of transports: what is in force of them, by the directory's history. Nothing commits."""

from collections.abc import Collection
from contextlib import suppress
from datetime import datetime
from functools import lru_cache

from pydantic import ValidationError
from sqlalchemy import text

from services.notify.directory import tables as directory_tables
from services.notify.directory.authority import today
from services.notify.directory.endpoint_tls import Transport, UnusableTransport
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
    found = {}
    for row in rows:
        # One that cannot be used is told by its agency's next notice, with a task of its own.
        with suppress(UnusableTransport):
            if (transport := transport_of(row.transport)) is not None:
                found[row.agency_id] = transport
    return found


@lru_cache(maxsize=1024)
def transport_of(stored: str) -> Transport | None:
    """Raises UnusableTransport. Remembered: every attempt asks, and to parse two certificates takes
    45 µs."""
    try:
        return None if stored == "null" else Transport.model_validate_json(stored)
    except ValidationError:
        raise UnusableTransport("its record does not say what can be read") from None
