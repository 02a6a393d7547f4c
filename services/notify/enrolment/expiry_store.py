"""All SQL of what runs out. Nothing here commits."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from services.notify.directory import tables as directory_tables
from services.notify.directory.agencies import OF_PLACES
from services.notify.enrolment import tables
from services.notify.enrolment.expiry import Lasting
from shared.runtime.db import Session

LOOK_EVERY = timedelta(days=1)
# Police without a place and a team's member without a district are on file and told of nothing.
_HAS_A_PLACE = (
    "CASE WHEN a.kind = ANY(CAST(:placed AS text[])) THEN cardinality(a.towns) > 0 "
    "OR cardinality(a.beats) > 0 OR cardinality(a.judicial_districts) > 0 ELSE true END"
)
_AGENCIES, _CERTIFICATES = directory_tables.agencies.fullname, tables.certificates.fullname


async def lasting(session: Session) -> Sequence[Lasting]:
    """Of every agency that is not closed and has a place or needs none; a certificate counts for
    the endpoint it was seen at."""
    rows = await session.execute(
        text(
            "SELECT a.agency_id, a.name, a.authority_to, a.mou_to, a.encryption_key, "
            f"c.not_after AS certificate_to FROM {_AGENCIES} a LEFT JOIN {_CERTIFICATES} c "
            "ON c.agency_id = a.agency_id AND c.endpoint = a.endpoint "
            f"WHERE NOT a.closed AND {_HAS_A_PLACE} ORDER BY a.agency_id"
        ),
        {"placed": sorted(kind.value for kind in OF_PLACES)},
    )
    return [Lasting(**dict(row)) for row in rows]


async def to_look_at(session: Session, now: datetime, most: int) -> Sequence[Any]:
    """Endpoints whose certificate nobody has looked at for a day."""
    return await session.execute(
        text(
            f"SELECT a.agency_id, a.endpoint, a.allowed_networks FROM {_AGENCIES} a "
            f"LEFT JOIN {_CERTIFICATES} c ON c.agency_id = a.agency_id "
            "AND c.endpoint = a.endpoint WHERE NOT a.closed AND a.endpoint LIKE 'https:%' "
            "AND (c.looked_at IS NULL OR c.looked_at < :before) ORDER BY a.agency_id LIMIT :most"
        ),
        {"before": now - LOOK_EVERY, "most": most},
    )


async def seen(
    session: Session, agency_id: str, endpoint: str, not_after: datetime | None, now: datetime
) -> None:
    """What could not be looked at today leaves what was seen before."""
    await session.execute(
        text(
            f"INSERT INTO {_CERTIFICATES} AS c (agency_id, endpoint, not_after, looked_at) "
            "VALUES (:id, :endpoint, :not_after, :now) ON CONFLICT (agency_id) DO UPDATE SET "
            "endpoint = excluded.endpoint, looked_at = excluded.looked_at, "
            "not_after = coalesce(excluded.not_after, "
            "CASE WHEN c.endpoint = excluded.endpoint THEN c.not_after END)"
        ),
        {"id": agency_id, "endpoint": endpoint, "not_after": not_after, "now": now},
    )
