"""SQL of reads on record. Runs in the caller's session and never commits."""

import json
from collections.abc import Mapping, Sequence

from sqlalchemy import text

from services.intake.models import OUTBOX
from services.intake.records import View
from services.intake.store import Run
from shared.messaging.telling import chosen_events
from shared.runtime.db import Session

_INSERT = (
    f"INSERT INTO intake.views ({', '.join(View.__slots__)}) "
    f"SELECT {', '.join(View.__slots__)} FROM jsonb_populate_recordset("
    "CAST(NULL AS intake.views), CAST(CAST(:rows AS text) AS jsonb)) "
    "ON CONFLICT DO NOTHING RETURNING disclosure_id"
)
_VIEWS = text(_INSERT)
_RECORD = text(
    f"WITH new AS ({_INSERT}), {chosen_events(OUTBOX, 'SELECT disclosure_id FROM new')} "
    "SELECT WHERE false"
)


async def insert_view(session: Session, view: View) -> bool:
    """Record a read; False if this very read is recorded already."""
    return bool(await session.scalars(_VIEWS, {"rows": _rows([view])}))


async def record(run: Run, views: Sequence[View], events: Mapping[str, object]) -> None:
    """Record reads and tell of them, in one statement; of those that are recorded already, nothing.

    `events` are `Outbox.each`'s, each under its disclosure's id.
    """
    await run(_RECORD, {"rows": _rows(views), **events})


def _rows(views: Sequence[View]) -> str:
    rows = [{name: getattr(view, name) for name in View.__slots__} for view in views]
    return json.dumps(rows, default=str)
