"""All SQL of `whsec_` secrets. Nothing here commits."""

from datetime import datetime

from sqlalchemy import text

from services.notify.directory import tables as directory_tables
from shared.runtime.db import Session

_ROTATE = text(
    f"UPDATE {directory_tables.agencies.fullname} SET "
    "webhook_secrets = CAST(:sealed AS bytea) || CASE "
    "WHEN webhook_secret_ends > statement_timestamp() THEN webhook_secrets[1:2] "
    "ELSE webhook_secrets[1:1] END, "
    "webhook_secret_ends = CASE WHEN cardinality(webhook_secrets) > 0 "
    "THEN CAST(:ends AS timestamptz) END "
    "WHERE agency_id = :agency_id AND NOT closed RETURNING agency_id, webhook_secret_ends"
)
_STOP = text(
    f"UPDATE {directory_tables.agencies.fullname} "
    "SET webhook_secrets = '{}', webhook_secret_ends = NULL "
    "WHERE agency_id = :agency_id RETURNING agency_id"
)


async def rotate(
    session: Session, agency_id: str, sealed: bytes, ends: datetime
) -> tuple[datetime | None] | None:
    """Put a new one first. Until when the one before it signs too; None: no such agency.

    While an overlap lasts, the one before that goes on as well: whoever never saw the answer asks
    again, and its receiver still holds the oldest.
    """
    values = {"agency_id": agency_id, "sealed": sealed, "ends": ends}
    row = (await session.execute(_ROTATE, values)).first()
    return None if row is None else (row.webhook_secret_ends,)


async def stop(session: Session, agency_id: str) -> bool:
    """No `v1` any more. Whether there is such an agency."""
    return bool(await session.scalars(_STOP, {"agency_id": agency_id}))
