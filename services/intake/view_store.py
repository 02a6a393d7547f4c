"""SQL of reads on record. Runs in the caller's session and never commits."""

import json
from collections.abc import Sequence

from sqlalchemy import text

from services.intake.records import View
from shared.runtime.db import Session

_VIEWS = text(
    f"INSERT INTO intake.views ({', '.join(View.__slots__)}) "
    f"SELECT {', '.join(View.__slots__)} FROM jsonb_populate_recordset("
    "CAST(NULL AS intake.views), CAST(CAST(:rows AS text) AS jsonb)) "
    "ON CONFLICT DO NOTHING RETURNING disclosure_id"
)


async def insert_view(session: Session, view: View) -> bool:
    """Record a read; False if this very read is recorded already."""
    return bool(await insert_views(session, [view]))


async def insert_views(session: Session, views: Sequence[View]) -> frozenset[str]:
    """Record reads; those not recorded before, by their disclosures' ids."""
    rows = [{name: getattr(view, name) for name in View.__slots__} for view in views]
    return frozenset(await session.scalars(_VIEWS, {"rows": json.dumps(rows, default=str)}))
