"""Reads of what belongs to no referral, recorded before their first byte is returned (P2)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.intake import opening_store
from services.intake.digests import Digests
from services.intake.opening_store import RecordView
from services.intake.strict_json import canonical
from shared.contracts.disclosures import RecordViewed
from shared.messaging.outbox import Outbox
from shared.runtime.db import Session

AUTHORITY = "DCF policy 21-14"


@dataclass(frozen=True, slots=True)
class Opened:
    """A record as it is about to be shown to a person."""

    disclosure_id: str
    record_id: str
    actor: str
    purpose: str
    content: dict[str, Any]
    now: datetime


class Opening:
    """Records reads in the caller's session; show the content after its commit."""

    def __init__(self, outbox: Outbox, digests: Digests) -> None:
        self._outbox = outbox
        self._digests = digests

    async def record(self, session: Session, opened: Opened) -> None:
        """Once for each disclosure id, however often it is attempted."""
        view = RecordView(
            disclosure_id=opened.disclosure_id,
            record_id=opened.record_id,
            actor=opened.actor,
            authority=AUTHORITY,
            purpose=opened.purpose,
            fields=["content"],
            commitment=self._digests.commit(canonical(opened.content)),
            viewed_at=opened.now,
        )
        if await opening_store.insert_view(session, view):
            await self._outbox.emit(session, opened.now, _event(view))


def _event(view: RecordView) -> RecordViewed:
    return RecordViewed(
        record_id=view.record_id,
        disclosure_id=view.disclosure_id,
        actor=view.actor,
        authority=view.authority,
        purpose=view.purpose,
        fields=tuple(view.fields),
        commitment=view.commitment,
        viewed_at=view.viewed_at,
    )
