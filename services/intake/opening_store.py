"""The SQL of reads of what belongs to no referral. Runs in the caller's session."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.dialects.postgresql import insert as upsert

from services.intake.models import record_views
from shared.runtime.db import Session


@dataclass(frozen=True, slots=True)
class RecordView:
    """A read of a record, before it is answered."""

    disclosure_id: str
    record_id: str
    actor: str
    authority: str
    purpose: str
    fields: Sequence[str]
    commitment: str
    viewed_at: datetime


async def insert_view(session: Session, view: RecordView) -> bool:
    """Record a read; False if this very read is recorded already."""
    recorded = await session.execute(
        upsert(record_views)
        .values({name: getattr(view, name) for name in RecordView.__slots__})
        .on_conflict_do_nothing()
        .returning(record_views.c.disclosure_id)
    )
    return recorded.first() is not None
