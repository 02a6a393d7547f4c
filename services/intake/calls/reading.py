"""Reading what was typed in a call: recorded and committed before its first byte (P2)."""

import json
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from services.intake.access import NotTheirs
from services.intake.answers import instant
from services.intake.calls import store
from services.intake.calls.drafts import Draft, fields
from services.intake.calls.keeping import Calls
from services.intake.calls.store import CallView, Kept
from services.intake.digests import Digests
from services.intake.retrying import until_known
from services.intake.strict_json import canonical
from shared.contracts.disclosures import CallViewed
from shared.messaging.outbox import Outbox
from shared.runtime.auth import Principal
from shared.runtime.db import Database, Session
from shared.runtime.failpoints import failpoint


@dataclass(frozen=True, slots=True)
class CallQuestion:
    """Who reads which call, why, and by what right."""

    disclosure_id: str
    call_id: str
    reader: Principal
    purpose: str
    authority: str
    now: datetime


class ReadingCalls:
    """The unit of work behind POST /v1/calls/{id}/readings."""

    def __init__(self, db: Database, outbox: Outbox, calls: Calls, digests: Digests) -> None:
        self._db = db
        self._outbox = outbox
        self._calls = calls
        self._digests = digests

    async def read(self, question: CallQuestion) -> str | NotTheirs:
        """What was typed, as JSON, once the read is on record."""
        return await until_known(partial(self._attempt, question))

    async def _attempt(self, question: CallQuestion) -> str | NotTheirs:
        async with self._db.transaction() as session:
            content = await self._read(session, question)
        failpoint("intake.after_view_commit")
        return content

    async def _read(self, session: Session, question: CallQuestion) -> str | NotTheirs:
        kept = await store.read(session, question.call_id)
        if kept is None:
            return NotTheirs()
        draft = self._calls.draft(kept)
        view = self._view(question, kept, draft)
        if await store.insert_view(session, view):
            await self._outbox.emit(session, question.now, _viewed(view))
        return _answer(kept, draft)

    def _view(self, question: CallQuestion, kept: Kept, draft: Draft) -> CallView:
        return CallView(
            disclosure_id=question.disclosure_id,
            call_id=question.call_id,
            version=kept.call.version,
            actor=question.reader.subject,
            authority=question.authority,
            purpose=question.purpose,
            fields=fields(draft),
            commitment=self._digests.commit(canonical(draft)),
            viewed_at=question.now,
        )


def _viewed(view: CallView) -> CallViewed:
    return CallViewed(
        call_id=view.call_id,
        disclosure_id=view.disclosure_id,
        version=view.version,
        actor=view.actor,
        actor_kind="person",
        authority=view.authority,
        purpose=view.purpose,
        fields=tuple(view.fields),
        commitment=view.commitment,
        viewed_at=view.viewed_at,
    )


def _answer(kept: Kept, draft: Draft) -> str:
    call = kept.call
    return json.dumps(
        {
            "call_id": call.call_id,
            "version": call.version,
            "received_at": instant(call.received_at),
            "draft": draft,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )
